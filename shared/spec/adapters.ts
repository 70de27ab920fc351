/** The adapters that this version has. A node offers some of them; what is not here no node of this version has. */
import { quote } from "./problems.ts";
import { nearest } from "./suggest.ts";

/** What a job names adapters for. */
export type AdapterKind = "engine" | "input" | "publisher";

/** Names by kind, as they are stored. */
export const KNOWN_TYPES: Readonly<Record<AdapterKind, readonly string[]>> = {
  engine: ["docker", "wasm"],
  input: ["inline", "local"],
  publisher: ["local", "none", "noop"],
};

/** What to tell of a type that is not known; it is no error, because nodes of another version may have it. */
export function warningOfType(kind: AdapterKind, type: string): string | undefined {
  const known = KNOWN_TYPES[kind];
  if (type === "" || known.includes(type)) return undefined;
  const near = nearest(type, known);
  const what = `the ${kind} type ${quote(type)} is not known to this version`;
  return near ? `${what}; did you mean ${quote(near)}?` : `${what}, which has ${known.join(", ")}`;
}
