/** Everything that is wrong with a document, collected before anything is refused. */
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/** Where in a document: field names and list positions. */
export type Path = readonly (string | number)[];

/** Where in a text, both counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** `line 4, column 9` */
export const placeText = ({ line, column }: Place): string => `line ${line}, column ${column}`;

/** `Tasks[0].Resources.CPU` */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_][\w]{0,63}$/.test(part)) text += text ? `.${part}` : part;
    else text += `[${quote(part)}]`;
  }
  return text || "it";
}

/** A value as it is shown in messages: JSON, cut to 80 characters, without anything a terminal would obey. */
export function quote(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return value.length ? `a list of ${value.length}` : "an empty list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const shown = JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  return shown.replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, escape);
}

const escape = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;

const TOP: Place = { line: 1, column: 1 };

interface Problem {
  readonly path: Path;
  readonly text: string;
}

/** The problems of one document, in the order in which they were found. */
export class Problems {
  readonly #problems: Problem[] = [];
  readonly #told = new Set<string>();
  #droppedCount = 0;

  get count(): number {
    return this.#problems.length + this.#droppedCount;
  }

  /** `must` completes the sentence: `must be at most 5`. A path's first problem is the one that is told. */
  add(path: Path, must: string, value?: unknown): void {
    const is = arguments.length < 3
      ? ""
      : value === undefined
      ? ", and is missing"
      : `, current value is ${quote(value)}`;
    if (this.#told.has(formatPath(path))) return;
    this.#told.add(formatPath(path));
    if (this.#problems.length >= LIMITS.problemsShownMax) this.#droppedCount++;
    else this.#problems.push({ path, text: `${must}${is}` });
  }

  /**
   * One error that names them all. `subject` reads `job "etl"`; `locate` says where in the text a path is: then they are told
   * in the order of the text.
   */
  toError(subject: string, locate?: (path: Path) => Place | undefined): AppError {
    const placed = this.#problems.map(({ path, text }) => ({ path, text, place: locate?.(path) }));
    placed.sort(({ place: a = TOP }, { place: b = TOP }) => a.line - b.line || a.column - b.column);
    const lines = placed.map(({ path, text, place }) =>
      `${place ? `${placeText(place)}: ` : ""}${formatPath(path)} ${text}`
    );
    if (this.#droppedCount) lines.push(`and ${this.#droppedCount} more problems`);
    const details = Object.fromEntries(this.#problems.map(({ path, text }) => [formatPath(path), text]));
    const message = lines.length === 1
      ? `Cannot accept ${subject}: ${lines[0]}`
      : `Cannot accept ${subject}: ${this.count} problems\n  ${lines.join("\n  ")}`;
    return new AppError("invalid", message, { details });
  }
}
