/** What a result may be called: its folder stands beside the files that an engine writes. */

/** In lower case: some file systems do not tell cases apart. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(["stdout", "stderr", "exitcode", "log.index", ".engine"]);
/** Bytes of one name on every common file system. */
const NAME_BYTES_MAX = 255;

/** What speaks against the name, to complete "must …"; undefined when it can be used. */
export function resultNameProblem(name: string): string | undefined {
  if (name === "") return "not be empty";
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (name === "." || name === ".." || /[/\\\x00-\x1f]/.test(name)) {
    return "be usable as a folder name, without slashes";
  }
  if (RESERVED_NAMES.has(name.toLowerCase())) {
    return "not be stdout, stderr or exitCode, which every result has, nor log.index or .engine";
  }
  const bytes = new TextEncoder().encode(name).length;
  return bytes > NAME_BYTES_MAX ? `be at most ${NAME_BYTES_MAX} bytes long` : undefined;
}
