/** A program's own log: levels, text or JSON lines, rotation. Secrets never reach it: callers name fields one by one. */
import { asAppError } from "./errors.ts";

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
  const flat = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value)]));
  return JSON.stringify({ time, level, message, ...flat });
}

function textLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${quoted(plain(value))}`).join("");
  return `${time} ${level.toUpperCase().padEnd(5)} ${message}${rest}`;
}

function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const error = asAppError(value);
  return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
}

function quoted(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}

/** Lines to standard error. */
export const stderrSink: LogSink = {
  write(line) {
    Deno.stderr.writeSync(new TextEncoder().encode(line + "\n"));
  },
};

/** Lines to a file that is renamed to `.1`, `.2`… when it grows beyond `maxBytes`; the oldest goes. */
export function openFileSink(
  options: { path: string; maxBytes: number; keep: number },
): LogSink & Disposable {
  const encoder = new TextEncoder();
  const open = () => Deno.openSync(options.path, { create: true, append: true, mode: 0o640 });
  let file = open();
  let size = file.statSync().size;
  const rotate = () => {
    file.close();
    for (let number = options.keep - 1; number >= 1; number--) {
      renameIfThere(`${options.path}.${number}`, `${options.path}.${number + 1}`);
    }
    renameIfThere(options.path, `${options.path}.1`);
    file = open();
    size = 0;
  };
  return {
    write(line) {
      const bytes = encoder.encode(line + "\n");
      if (size > 0 && size + bytes.length > options.maxBytes) rotate();
      file.writeSync(bytes);
      size += bytes.length;
    },
    [Symbol.dispose]: () => file.close(),
  };
}

function renameIfThere(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
