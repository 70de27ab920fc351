/**
 * The machine's own HTTP client, for checks of tasks. Not `fetch`: that goes by way of the proxy that the agent's environment
 * names, which reaches no container of this machine and need not hear of it.
 */
import { AppError } from "../../shared/errors.ts";
import type { HttpGet } from "./host.ts";

/** Errors: `timed_out`, `unreachable`. */
export const httpGet: HttpGet = async (url, { timeoutMs, signal }) => {
  // Loaded by agents that need it.
  const { request } = await import("node:http");
  const late = AbortSignal.timeout(timeoutMs);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const asked = request(url, {
    // A connection for each: nothing is kept of a task that is gone.
    agent: false,
    headers: { "user-agent": "skerry-health" },
    signal: AbortSignal.any([late, signal]),
  });
  asked.on("response", (answer) => {
    resolve(answer.statusCode ?? 0);
    answer.on("error", () => {}).destroy();
  });
  asked.on("error", reject);
  asked.end();
  try {
    return await promise;
  } catch (cause) {
    if (late.aborted) throw new AppError("timed_out", `no answer within ${timeoutMs / 1000}s`, { cause });
    throw new AppError("unreachable", cause instanceof Error ? cause.message : String(cause), { cause });
  }
};
