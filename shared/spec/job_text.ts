/** Job files: YAML or JSON text to a value that still knows its lines. Import it lazily: the YAML library is not small. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type Path, type Place, placeText, quote } from "./problems.ts";

/** What a job file holds. */
export interface JobText {
  readonly value: unknown;
  /** Where a field stands; of a field that is missing, where what should hold it stands. */
  readonly locate: (path: Path) => Place | undefined;
}

/** Aliases may stand for this many nodes altogether: a few lines can otherwise become gigabytes. */
const ALIASED_MAX = 100;

/**
 * Reads one document. Throws `invalid` with line and column when it is empty, not YAML or JSON, several documents,
 * has a key twice, or grows by its aliases.
 */
export function readJobText(source: string): JobText {
  if (source.length > LIMITS.httpBodyBytes) {
    throw unreadable(`it must have at most ${LIMITS.httpBodyBytes} characters`);
  }
  if (source.trim() === "") throw unreadable("it is empty");
  if (source.includes("\0")) throw unreadable("it is no text: it holds the character NUL");
  const lines = new LineCounter();
  const document = guarded(() => parse(source, lines));
  const [problem] = [...document.errors, ...document.warnings, ...guarded(() => doubleKeys(document))]
    .sort((a, b) => a.pos[0] - b.pos[0]);
  if (problem) throw unreadable(`${placeText(place(lines, problem.pos[0]))}: ${wordsOf(problem)}`, problem);
  if (!document.contents) throw unreadable("it holds nothing but comments");
  const value = guarded(() => document.toJS({ maxAliasCount: ALIASED_MAX }));
  return { value, locate: (path) => locate(document, path, lines) };
}

function parse(source: string, lineCounter: LineCounter): Document.Parsed {
  return parseDocument(source, {
    lineCounter,
    prettyErrors: false,
    uniqueKeys: false, // the library compares each key with each other one: `doubleKeys` is quicker
    strict: true,
    schema: "core",
    stringKeys: true,
  });
}

const DUPLICATE_KEY = "DUPLICATE_KEY";

/** A key that its map has already. */
interface DoubleKey {
  readonly code: string;
  readonly pos: readonly [number, number];
  readonly message: string;
}

function doubleKeys(document: Document.Parsed): DoubleKey[] {
  const found: DoubleKey[] = [];
  visit(document, {
    Map(_at, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const at = startOf(key) ?? 0;
        const message = `the key ${quote(key.value)} must be given once, and is given twice`;
        if (seen.has(key.value)) found.push({ code: DUPLICATE_KEY, pos: [at, at], message });
        seen.add(key.value);
      }
    },
  });
  return found;
}

/** What the library throws instead of telling: nested too deep for the stack, or too many aliases. */
function guarded<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw unreadable("it is nested too deep", error);
    if (error instanceof ReferenceError && /alias count/i.test(error.message)) {
      throw unreadable(`its aliases must stand for at most ${ALIASED_MAX} values each`, error);
    }
    throw unreadable(sentence(error instanceof Error ? error.message : String(error)), error);
  }
}

function locate(document: Document.Parsed, path: Path, lines: LineCounter): Place | undefined {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    let found: { node: unknown; offset: number | undefined } | undefined;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && isSame(String(key.value), String(part)));
      found = pair && { node: pair.value, offset: startOf(pair.key) };
    } else if (isSeq(node) && typeof part === "number") {
      found = { node: node.items[part], offset: startOf(node.items[part]) };
    }
    if (!found) break;
    ({ node } = found);
    offset = found.offset ?? offset;
  }
  return offset === undefined ? undefined : place(lines, offset);
}

const isSame = (a: string, b: string) => a === b || a.toLowerCase() === b.toLowerCase();

const startOf = (node: unknown): number | undefined => isNode(node) ? (node as Node).range?.[0] : undefined;

function place(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

/** The library's words, but for what people meet most. */
function wordsOf({ code, message }: { code: string; message: string }): string {
  if (code === DUPLICATE_KEY) return message;
  if (code === "MULTIPLE_DOCS") return "there must be one document, and another one begins";
  return /call stack/.test(message) ? "it is nested too deep" : sentence(message);
}

const sentence = (text: string) => text.split("\n")[0]!.replace(/[.:]$/, "").slice(0, 300);

function unreadable(why: string, cause?: unknown): AppError {
  return new AppError("invalid", `Cannot read the job: ${why}`, {
    cause,
    hint: "A job file is one YAML or JSON object with fields like Name and Tasks",
  });
}
