/** Which paths of the host tasks may see: folders (with all that is in them) and patterns. */

/** An entry as the node's owner writes it. */
export interface AllowPath {
  /** Absolute. A folder or file, or a pattern with `*` (within one name), `**` (any depth) and `?`. */
  readonly path: string;
  readonly isWritable: boolean;
}

/** An entry ready to be compared. */
export interface AllowRule {
  readonly entry: AllowPath;
  /** The part before the first wildcard: where links are resolved once. */
  readonly base: string;
  readonly matches: (path: string) => boolean;
}

/** `resolve` answers where the base really is; a base that is not there stays as written. */
export function allowRules(
  entries: readonly AllowPath[],
  resolve: (path: string) => string,
): readonly AllowRule[] {
  return entries.flatMap((entry) => {
    const clean = cleanHostPath(entry.path);
    const parts = clean.split("/");
    const wild = parts.findIndex((part) => /[*?]/.test(part));
    const base = (wild < 0 ? parts : parts.slice(0, wild)).join("/") || "/";
    const pattern = wild < 0 ? undefined : parts.slice(wild).join("/");
    // As written and as it really is: the owner may have named it through a link.
    return [...new Set([base, resolve(base)])].map((at) => ({
      entry,
      base: at,
      matches: matcher(at, pattern),
    }));
  });
}

function matcher(base: string, pattern: string | undefined): (path: string) => boolean {
  const within = base === "/" ? "/" : `${base}/`;
  if (pattern === undefined) return (path) => path === base || path.startsWith(within);
  const expression = new RegExp(`^${patternSource(pattern)}$`);
  return (path) => path.startsWith(within) && expression.test(path.slice(within.length));
}

function patternSource(pattern: string): string {
  return pattern.replace(/\*\*\/|\*\*|\*|\?|[^*?]+/g, (part) => {
    if (part === "**/") return "(?:[^/]+/)*";
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    return part.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  });
}

/** Without empty parts, `.` and a trailing slash. */
export function cleanHostPath(path: string): string {
  return `/${path.split("/").filter((part) => part !== "" && part !== ".").join("/")}`;
}
