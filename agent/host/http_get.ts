/** The machine's own HTTP client, for checks of tasks. */
import { AppError } from "../../shared/errors.ts";
import type { HttpGet } from "./host.ts";

/** Errors: `timed_out`, `unreachable`. */
export const httpGet: HttpGet = async (url, { timeoutMs, signal }) => {
  const late = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await fetch(url, {
      redirect: "manual",
      headers: { "user-agent": "skerry-health" },
      signal: AbortSignal.any([late, signal]),
    });
    await answer.body?.cancel();
    return answer.status;
  } catch (cause) {
    if (late.aborted) throw new AppError("timed_out", `no answer within ${timeoutMs / 1000}s`, { cause });
    throw new AppError("unreachable", reasonOf(cause), { cause });
  }
};

/** The system's own words are at the end of what fetch says. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(text.lastIndexOf(": ") + 1).trim();
}
