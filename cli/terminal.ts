/** Where a command writes: data to stdout, everything else to stderr; colours and progress on terminals only. */
import { AppError } from "../shared/errors.ts";
import { reasonOf } from "./file_errors.ts";
import { colours, type Paint } from "./paint.ts";

/** The two streams of a command. */
export interface Terminal {
  /** One or more lines of data. */
  print(text: string): void;
  /** What a task printed, as it is. */
  write(bytes: Uint8Array, options?: { isError?: boolean }): void;
  /** A message for people. */
  note(text: string): void;
  /** Replaces the progress line; nothing clears it. Does nothing unless stderr is a terminal. */
  progress(text?: string): void;
  /** Whether people watch stdout. */
  readonly isOutTerminal: boolean;
  /** Whether people watch stderr. */
  readonly isErrTerminal: boolean;
  /** Columns; unlimited when stdout is no terminal. */
  readonly columns: number;
  /** Colours for stdout. */
  readonly paint: Paint;
  /** Colours for stderr. */
  readonly paintNote: Paint;
}

/** The process's own terminal. `--no-color`, NO_COLOR and TERM=dumb take colours away. */
export function openTerminal(options: { isColourless: boolean }): Terminal {
  const encoder = new TextEncoder();
  const [isOutTerminal, isErrTerminal] = [Deno.stdout.isTerminal(), Deno.stderr.isTerminal()];
  const isPlain = options.isColourless || Deno.env.get("TERM") === "dumb";
  let progressShown = false;
  const writeAll = (stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array) => {
    try {
      for (let from = 0; from < bytes.length;) from += stream.writeSync(bytes.subarray(from));
    } catch (cause) {
      // Whoever reads has gone, and has seen enough: that is no failure.
      if (cause instanceof Deno.errors.BrokenPipe) throw cause;
      throw new AppError("io", `Cannot write the output: ${reasonOf(cause)}`, {
        hint: "See where it is redirected to",
        cause,
      });
    }
  };
  const error = (text: string) => writeAll(Deno.stderr, encoder.encode(text));
  const clear = () => {
    if (progressShown) error("\r\x1b[K");
    progressShown = false;
  };
  return {
    print(text) {
      clear();
      writeAll(Deno.stdout, encoder.encode(`${text}\n`));
    },
    write(bytes, { isError = false } = {}) {
      clear();
      writeAll(isError ? Deno.stderr : Deno.stdout, bytes);
    },
    note(text) {
      clear();
      error(`${text}\n`);
    },
    progress(text) {
      clear();
      if (!isErrTerminal || text === undefined) return;
      error(text.slice(0, columnsOf(true) - 1));
      progressShown = true;
    },
    isOutTerminal,
    isErrTerminal,
    columns: columnsOf(isOutTerminal),
    paint: colours(isOutTerminal && !isPlain),
    paintNote: colours(isErrTerminal && !isPlain),
  };
}

function columnsOf(isTerminal: boolean): number {
  if (!isTerminal) return Number.POSITIVE_INFINITY;
  try {
    return Math.max(40, Deno.consoleSize().columns);
  } catch {
    return 80;
  }
}
