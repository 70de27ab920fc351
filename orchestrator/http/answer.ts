/** Answers: one way to write JSON, with the headers that Bacalhau's clients look for. */
import { BACALHAU_VERSION } from "../../shared/version.ts";
import type { About, Call } from "./door.ts";

/** Writes answers with this build's headers. Made once; headers are the same for every answer but for the id. */
export class Answers {
  readonly #headers: readonly [string, string][];

  constructor({ commit, buildDate, os, arch }: About) {
    this.#headers = [
      ["x-bacalhau-git-version", BACALHAU_VERSION],
      ["x-bacalhau-git-commit", commit],
      ["x-bacalhau-build-date", buildDate],
      ["x-bacalhau-build-os", os],
      ["x-bacalhau-arch", arch],
      ["x-content-type-options", "nosniff"],
      ["cache-control", "no-store"],
    ];
  }

  headers(requestId: string, contentType: string): [string, string][] {
    return [["content-type", contentType], ["x-request-id", requestId], ...this.#headers];
  }

  /** `value` as JSON, indented when the query has `pretty`. */
  json(call: Pick<Call, "requestId" | "query">, value: unknown, status = 200): Response {
    const isPretty = call.query.has("pretty");
    const text = isPretty ? `${JSON.stringify(value, null, 2)}\n` : JSON.stringify(value);
    return new Response(text, {
      status,
      headers: this.headers(call.requestId, "application/json; charset=UTF-8"),
    });
  }

  redirect(requestId: string, location: string): Response {
    const headers = [...this.headers(requestId, "text/plain"), ["location", location] as [string, string]];
    return new Response(null, { status: 301, headers });
  }
}
