/** Flags of commands: what a user may write, and the typed value that a command gets. */
import { AppError } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";
import { nearest } from "../shared/spec/suggest.ts";
import { parseDuration } from "../shared/spec/units.ts";

/** What a shell offers for a value. */
export type Completes = "job" | "node" | "namespace" | "setting" | "file" | "folder";

/** One flag. `switch` takes no value, `value` the last one given, `list` all of them in order. */
export interface Flag<Value> {
  readonly kind: "switch" | "value" | "list";
  /** One letter. */
  readonly short?: string;
  /** How help names the value. */
  readonly placeholder?: string;
  readonly summary: string;
  readonly choices?: readonly string[];
  /** When the flag is not given. */
  readonly initial: Value;
  /** Kept for users of other tools; not in help. */
  readonly isHidden?: boolean;
  readonly completes?: Completes;
  /** One written value; throws `invalid` with a message that starts with `must be`. */
  readonly parse: (text: string) => unknown;
}

/** Flags by their names in camel case. */
export type Flags = Readonly<Record<string, Flag<unknown>>>;
/** What a command gets for its flags. */
export type Values<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Flag<infer Value> ? Value : never;
};

interface Written {
  readonly summary: string;
  readonly short?: string;
  readonly isHidden?: boolean;
}

interface WrittenValue extends Written {
  readonly placeholder: string;
  readonly completes?: Completes;
}

const asIs = (text: string) => text;

/** `--follow`, `--no-follow`, `--follow=false` */
export function toggle(written: Written & { readonly initial?: boolean }): Flag<boolean> {
  return { kind: "switch", initial: false, parse: asIs, ...written };
}

/** Any text. */
export function text(written: WrittenValue): Flag<string | undefined> {
  return { kind: "value", initial: undefined, parse: asIs, ...written };
}

/** A value that `parse` reads. */
export function parsed<Value>(
  written: WrittenValue & { readonly parse: (text: string) => Value },
): Flag<Value | undefined> {
  return { kind: "value", initial: undefined, ...written };
}

/** One of a few words. */
export function choice<const Word extends string>(
  written: WrittenValue & { readonly choices: readonly Word[]; readonly initial: Word },
): Flag<Word> {
  const parse = (word: string) => {
    if ((written.choices as readonly string[]).includes(word)) return word;
    throw notOneOf(word, written.choices);
  };
  return { kind: "value", ...written, parse };
}

/** One of a few words, in any casing; none unless given. */
export function oneOf(
  written: WrittenValue & { readonly choices: readonly string[] },
): Flag<string | undefined> {
  const parse = (word: string) => {
    if (written.choices.includes(word.toLowerCase())) return word.toLowerCase();
    throw notOneOf(word, written.choices);
  };
  return { kind: "value", initial: undefined, ...written, parse };
}

/** The error of a word that must be one of a few. */
export function notOneOf(word: string, choices: readonly string[]): AppError {
  const near = nearest(word, choices);
  return new AppError("invalid", `must be one of ${choices.join(", ")}`, {
    hint: near && `Did you mean ${near}?`,
  });
}

/** May be given several times. */
export function list(
  written: WrittenValue & { readonly choices?: readonly string[] },
): Flag<readonly string[]> {
  return { kind: "list", initial: [], parse: asIs, ...written };
}

/** A whole number ≥ `least`. */
export function whole(written: WrittenValue & { readonly least?: number }): Flag<number | undefined> {
  const { least = 0, ...rest } = written;
  return parsed({
    ...rest,
    parse(digits) {
      const amount = /^\d{1,15}$/.test(digits) ? Number(digits) : -1;
      if (amount >= least) return amount;
      throw new AppError("invalid", `must be a whole number >= ${least}`);
    },
  });
}

/** A duration in ms; bare digits are seconds. */
export function duration(written: WrittenValue): Flag<number | undefined> {
  return parsed({ ...written, parse: parseSpan });
}

/** Ms from `90`, `90s` or `1h30m`; throws `invalid`. */
export function parseSpan(text: string): number {
  const ms = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (ms !== undefined) return ms;
  throw new AppError("invalid", "must be a duration such as 90s, 10m or 1h30m");
}

/** Reads one written value; the error names it, what it must be, and what it is. */
export function readWritten(
  parse: (text: string) => unknown,
  { name, text }: { name: string; text: string },
): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof AppError) || !error.message.startsWith("must")) throw error;
    const message = `Cannot use ${name}: ${error.message}, current value is ${quote(text)}`;
    throw new AppError("bad_request", message, { hint: error.hint, cause: error });
  }
}
