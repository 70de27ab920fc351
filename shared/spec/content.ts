/** Inline content of a job: small content stays in the spec, the rest is named by its digest. */
import { createHash } from "node:crypto";
import { LIMITS } from "../limits.ts";
import type { Typed } from "../model/job.ts";
import { parseDataUrl } from "./data_url.ts";
import { readFields } from "./fields.ts";
import { InlineParams } from "./job_schema.ts";
import type { Path, Problems } from "./problems.ts";

/** `sha256:<hex>` */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Contents of one job by digest, and how much of the room within the spec is used. */
export class Contents {
  readonly byDigest = new Map<string, Uint8Array>();
  #keptBytes = 0;

  /**
   * The source `inline` as it is stored: `{URL}` as given, or `{Digest, SizeBytes}` with `MediaType` where the URL
   * named one. `undefined` after adding what is wrong.
   */
  take(
    written: Record<string, unknown>,
    { path, problems }: { path: Path; problems: Problems },
  ): Typed | undefined {
    const params = readFields(InlineParams, written, { path, problems });
    if (!params) return undefined;
    const { URL: url, Digest: digest } = params;
    if ((url === undefined) === (digest === undefined)) {
      problems.add(path, 'must have either "URL" with a data: URL, or "Digest"');
      return undefined;
    }
    if (url === undefined) return { type: "inline", params: withoutUndefined(params) };
    const data = parseDataUrl(url);
    if (!data) {
      problems.add([...path, "URL"], 'must be a data: URL like "data:text/plain;base64,aGk="', url);
      return undefined;
    }
    return this.#keep(url, data.bytes, data.mediaType);
  }

  #keep(url: string, bytes: Uint8Array, mediaType: string): Typed {
    if (bytes.length <= LIMITS.inlineBytes && this.#keptBytes + bytes.length <= LIMITS.inlineTotalBytes) {
      this.#keptBytes += bytes.length;
      return { type: "inline", params: { URL: url } };
    }
    const digest = digestOf(bytes);
    this.byDigest.set(digest, bytes);
    const type = mediaType === "text/plain" ? {} : { MediaType: mediaType };
    return { type: "inline", params: { Digest: digest, SizeBytes: bytes.length, ...type } };
  }
}

function withoutUndefined(params: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));
}
