/** A program's own log: levels, text or JSON lines, rotation. Secrets never reach it: callers name fields one by one. */
import { AppError, asAppError } from "./errors.ts";

/** From the chattiest to the gravest. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
/** One of the levels. */
export type LogLevel = typeof LOG_LEVELS[number];
/** Extra facts of a line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a program writes what it does. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Where lines go. */
export interface LogSink {
  write(line: string): void;
}

/** How a log is opened. */
export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  readonly sink: LogSink;
  readonly wallMs: () => number;
}

/** A log that drops lines below its level. */
export function openLog({ level, format, sink, wallMs }: LogOptions): Log {
  const least = LOG_LEVELS.indexOf(level);
  const at = (lineLevel: LogLevel) => {
    if (LOG_LEVELS.indexOf(lineLevel) < least) return () => {};
    return (message: string, fields: LogFields = {}) => {
      const time = new Date(wallMs()).toISOString();
      sink.write(
        format === "json"
          ? jsonLine(time, lineLevel, message, fields)
          : textLine(time, lineLevel, message, fields),
      );
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** For tests and tools that want no log. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

function jsonLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const flat = Object.fromEntries(shown(fields));
  return JSON.stringify({ time, level, message, ...flat });
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const rest = shown(fields).map(([key, value]) => ` ${key}=${quoted(value)}`).join("");
  return `${time} ${level.toUpperCase().padEnd(5)} ${message}${rest}`;
}

/** What a line has of its own is not taken from it: a failure's `message` is the `reason` there. */
const RENAMED: Readonly<Record<string, string>> = { message: "reason", time: "at", level: "grade" };

const shown = (fields: LogFields): [string, unknown][] =>
  Object.entries(fields).map((
    [key, value],
  ) => [Object.hasOwn(RENAMED, key) ? RENAMED[key]! : key, plain(value)]);

function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { message, hint, code, cause } = asAppError(value);
  const text = hint === undefined ? message : `${message} (${hint})`;
  // What nobody has foreseen is found by where it came from.
  return code === "internal" && cause instanceof Error && cause.stack ? `${text}\n${cause.stack}` : text;
}

function quoted(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}

/** Lines to standard error. What cannot be written is lost: a log never ends its program. */
export const stderrSink: LogSink = {
  write(line) {
    try {
      writeAll(Deno.stderr, new TextEncoder().encode(line + "\n"));
    } catch {
      // Nobody reads it any more, or its disk is full.
    }
  },
};

/**
 * Lines to a file that is renamed to `.1`, `.2`… when it grows beyond `maxBytes`; the oldest goes. Errors when it is
 * opened: `io`. Later, lines that the file cannot take go to standard error.
 */
export function openFileSink(
  options: { path: string; maxBytes: number; keep: number },
): LogSink & Disposable {
  const { path, maxBytes, keep } = options;
  const encoder = new TextEncoder();
  let size = 0;
  const open = () => {
    const opened = Deno.openSync(path, { create: true, append: true, mode: 0o640 });
    size = opened.statSync().size;
    return opened;
  };
  let file: Deno.FsFile | undefined;
  const rotate = () => {
    file?.close();
    file = undefined;
    for (let number = keep - 1; number >= 1; number--) {
      renameIfThere(`${path}.${number}`, `${path}.${number + 1}`);
    }
    renameIfThere(path, `${path}.1`);
    file = open();
  };
  try {
    file = open();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/\s*\(os error \d+\).*/s, "") : String(cause);
    throw new AppError("io", `Cannot write the log file "${path}": ${why}`, {
      hint: "Check the folder, its owner and its permissions, or name another file with --log-file",
      cause,
    });
  }
  return {
    write(line) {
      const bytes = encoder.encode(line + "\n");
      try {
        file ??= open();
        if (size > 0 && size + bytes.length > maxBytes) rotate();
        writeAll(file, bytes);
        size += bytes.length;
      } catch {
        stderrSink.write(line);
      }
    },
    [Symbol.dispose]: () => file?.close(),
  };
}

function writeAll(file: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

function renameIfThere(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
