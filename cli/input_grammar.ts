/** How inputs, results and publishers are written on the command line: Bacalhau's grammar. */
import { AppError } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";
import { nearest } from "../shared/spec/suggest.ts";

/** Bacalhau's JSON. */
export interface WireInput {
  readonly Source: { readonly Type: string; readonly Params: Readonly<Record<string, unknown>> };
  readonly Alias?: string;
  readonly Target: string;
}

const DEFAULT_TARGET = "/inputs";
const INPUT_HINT =
  "Write it as URI[:PATH] or src=URI,dst=PATH[,opt=KEY=VALUE], such as file:///srv/data:/inputs";

/** `-i`: `URI[:dst]`, or `src=URI,dst=PATH[,opt=k=v…]`. Throws `bad_request`. */
export function parseInput(text: string): WireInput {
  const { uri, target, options } = /^(src|source)=/i.test(text) ? splitPairs(text) : splitColon(text);
  return { Source: parseSource(uri, options), Alias: uri, Target: target ?? DEFAULT_TARGET };
}

type Options = ReadonlyMap<string, string>;

interface SplitInput {
  readonly uri: string;
  readonly target?: string;
  readonly options: Options;
}

/** At the last colon, unless it belongs to the scheme or a port. A plain path is split like a URI. */
function splitColon(text: string): SplitInput {
  const found = /^((?:[a-z][a-z0-9+.-]*:\/)?\/.*?):(\/[^:]*)$/i.exec(text);
  return { uri: found?.[1] ?? text, target: found?.[2], options: new Map() };
}

function splitPairs(text: string): SplitInput {
  let [uri, target]: [string, string | undefined] = ["", undefined];
  const options = new Map<string, string>();
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const [name, value] = [part.slice(0, Math.max(at, 0)).toLowerCase(), part.slice(at + 1)];
    if (name === "src" || name === "source") uri = value;
    else if (["dst", "target", "destination"].includes(name)) target = value;
    else if (name === "opt") {
      options.set(value.split("=")[0]!.toLowerCase(), value.slice(value.indexOf("=") + 1));
    } else throw refuse(text, `unknown part ${quote(part)}`, INPUT_HINT);
  }
  return { uri, target, options };
}

const S3_OPTIONS: Readonly<Record<string, string>> = {
  endpoint: "Endpoint",
  region: "Region",
  versionid: "VersionID",
  "version-id": "VersionID",
  "checksum-256": "ChecksumSHA256",
  filter: "Filter",
};

/** A source by the scheme of its URI. A plain path is a local folder. */
export function parseSource(uri: string, options: Options = new Map()): WireInput["Source"] {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  switch (scheme) {
    case "ipfs":
      return { Type: "ipfs", Params: { CID: uri.slice("ipfs://".length), ...known(uri, options, {}) } };
    case "http":
    case "https":
      return { Type: "urlDownload", Params: { URL: uri, ...known(uri, options, {}) } };
    case "s3": {
      const [bucket = "", ...key] = uri.slice("s3://".length).split("/");
      if (bucket === "") throw refuse(uri, "the bucket is missing", "Write it as s3://bucket/key");
      return {
        Type: "s3",
        Params: { Bucket: bucket, Key: key.join("/"), ...known(uri, options, S3_OPTIONS) },
      };
    }
    case "file":
      return {
        Type: "local",
        Params: { SourcePath: localPath(decode(uri.slice("file://".length))), ...readWrite(uri, options) },
      };
    case "data":
      return { Type: "inline", Params: { URL: uri } };
    case undefined:
      if (uri.startsWith("/")) {
        return { Type: "local", Params: { SourcePath: localPath(uri), ...readWrite(uri, options) } };
      }
      throw refuse(uri, "it is neither a URI nor an absolute path", INPUT_HINT);
    default: {
      const near = nearest(scheme, ["ipfs", "http", "https", "s3", "file"]);
      const hint = near ? `Did you mean ${near}://?` : "Use file, http, https, s3 or ipfs";
      throw refuse(uri, `inputs of the kind ${quote(scheme)} do not exist`, hint);
    }
  }
}

/** `%20` in a URI is a space; a plain path is taken as it is. */
function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw refuse(
      path,
      "its % must be followed by two hex digits, as in %20 for a space",
      "Write % itself as %25",
    );
  }
}

function localPath(path: string): string {
  if (path.startsWith("/")) return path.replace(/(.)\/+$/, "$1");
  throw refuse(
    path,
    "a local input needs an absolute path of the node",
    "Write it as file:///srv/data:/inputs",
  );
}

function readWrite(uri: string, options: Options): Record<string, unknown> {
  const isWritable = options.has("rw") || options.has("read-write");
  known(uri, options, { rw: "", "read-write": "" });
  return isWritable
    ? { ReadWrite: options.get("rw") !== "false" && options.get("read-write") !== "false" }
    : {};
}

function known(
  uri: string,
  options: Options,
  names: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    [...options].map(([name, value]) => {
      if (Object.hasOwn(names, name)) return [names[name]!, value];
      const near = nearest(name, Object.keys(names));
      throw refuse(
        uri,
        `unknown option ${quote(name)}`,
        near ? `Did you mean ${near}?` : "This kind has no such option",
      );
    }),
  );
}

/** `-o`: `NAME:PATH`. Throws `bad_request`. */
export function parseResultPath(text: string): { Name: string; Path: string } {
  const at = text.indexOf(":");
  if (at > 0 && text[at + 1] === "/") return { Name: text.slice(0, at), Path: text.slice(at + 1) };
  throw new AppError("bad_request", `Cannot read the result path ${quote(text)}`, {
    hint: "Write it as NAME:PATH, such as outputs:/outputs; for JSON use --format json",
  });
}

/** `-p`: `local`, `ipfs`, `s3managed`, or `s3://bucket/key[,opt=k=v…]`. Throws `bad_request`. */
export function parsePublisher(text: string): WireInput["Source"] {
  const [uri = "", ...parts] = text.split(",");
  const options = new Map(parts.map((part) => {
    const found = /^opt=([^=]+)=(.*)$/i.exec(part);
    if (!found) throw refusePublisher(text);
    return [found[1]!.toLowerCase(), found[2]!];
  }));
  if (uri.startsWith("s3://")) {
    const [bucket = "", ...key] = uri.slice("s3://".length).split("/");
    const names = { endpoint: "Endpoint", region: "Region", encoding: "Encoding" };
    return { Type: "s3", Params: { Bucket: bucket, Key: key.join("/"), ...known(uri, options, names) } };
  }
  const found = ["local", "ipfs", "s3managed", "noop", "none"].find((type) =>
    type === uri.toLowerCase().replace("://", "")
  );
  if (!found || options.size) throw refusePublisher(text);
  return { Type: found, Params: {} };
}

function refusePublisher(text: string): AppError {
  return new AppError("bad_request", `Cannot read the publisher ${quote(text)}`, {
    hint: /^(?:[\d.]+:)?\d+(?::\d+)?(?:\/\w+)?$/.test(text)
      ? "For a port of the node: --port NAME=PORT:TARGET, such as --port http=8080:80"
      : "Use local, ipfs, s3managed, or s3://bucket/key[,opt=region=REGION]",
  });
}

/** `K=V`, as for labels and variables. Throws `bad_request`. */
export function parsePairs(texts: readonly string[], flag: string): Record<string, string> {
  return Object.fromEntries(texts.map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new AppError(
      "bad_request",
      `Cannot use ${flag}: must be KEY=VALUE, current value is ${quote(text)}`,
    );
  }));
}

function refuse(text: string, why: string, hint: string): AppError {
  // As in `docker run -it`.
  const isTerminal = /^td?$/.test(text);
  return new AppError("bad_request", `Cannot read the input ${quote(text)}: ${why}`, {
    hint: isTerminal ? "Leave -t out: jobs have no terminal" : hint,
  });
}
