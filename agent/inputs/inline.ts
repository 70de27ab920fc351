/** Inputs that travel with the job: `data:` URLs, or contents that the order names by digest. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { InputSource } from "../../shared/model/job.ts";
import { parseDataUrl } from "../../shared/spec/data_url.ts";
import type { Contents } from "../flow/contents.ts";
import type { ContentStore } from "../host/host.ts";
import type { Input } from "./input.ts";
import { unpackTarGz } from "./untar.ts";

const Params = z.union([
  z.object({ URL: z.string() }),
  z.object({
    Digest: z.string(),
    SizeBytes: z.number().int().nonnegative(),
    MediaType: z.string().optional(),
  }),
]);

/** Bacalhau's command line sends folders, and files above 512 bytes, as a packed archive under this type. */
const ARCHIVE_TYPE = "application/gzip";
/** `data:` URLs whose content is known to be stored: many executions share one. */
const REMEMBERED_MAX = 64;

/** The input type `inline`: shared by all executions, read-only. */
export function inlineInput(options: { contents: Contents; store: ContentStore }): Input {
  const { contents, store } = options;
  const remembered = new Map<string, { digest: string; isArchive: boolean }>();

  const storeUrl = (url: string): { path: string; isArchive: boolean } => {
    const known = remembered.get(url);
    const path = known && store.find(known.digest);
    if (known !== undefined && path !== undefined) return { path, isArchive: known.isArchive };
    const data = parseDataUrl(url);
    if (data === undefined) {
      throw new AppError("input_refused", "Cannot use an inline input: its URL is no data: URL");
    }
    const stored = store.put(data.bytes);
    const isArchive = data.mediaType === ARCHIVE_TYPE;
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    remembered.set(url, { digest: stored.digest, isArchive });
    return { path: stored.path, isArchive };
  };

  return {
    types: ["inline"],
    probe({ source }: InputSource) {
      const params = Params.safeParse(source.params);
      if (!params.success) {
        const failure = {
          code: "input_refused",
          message: "this node does not understand an inline input",
        } as const;
        return { isUsable: false, failure };
      }
      if ("URL" in params.data) return { isUsable: true, hereBytes: params.data.URL.length, fetchBytes: 0 };
      const isHere = isFound(store, params.data.Digest);
      const { SizeBytes } = params.data;
      return { isUsable: true, hereBytes: isHere ? SizeBytes : 0, fetchBytes: isHere ? 0 : SizeBytes };
    },
    async prepare({ source, target }, { home, signal }) {
      const params = Params.parse(source.params);
      const { path, isArchive } = "URL" in params ? storeUrl(params.URL) : {
        path: await contents.fetch(home, { digest: params.Digest, sizeBytes: params.SizeBytes }, signal),
        isArchive: params.MediaType === ARCHIVE_TYPE,
      };
      const hostPath = isArchive
        ? await store.tree(path, (folder) => unpackTarGz(path, folder, ARCHIVE_BOUNDS))
        : path;
      return { hostPath, target, isReadOnly: true };
    },
  };
}

/** What cannot be looked at for now is told when it is needed. */
function isFound(store: ContentStore, digest: string): boolean {
  try {
    return store.find(digest) !== undefined;
  } catch {
    return false;
  }
}

const ARCHIVE_BOUNDS = { bytesMax: LIMITS.archiveBytes, filesMax: LIMITS.archiveFilesMax };
