/**
 * Bodies of rows: JSON behind a checksum, because SQLite does not notice a flipped bit inside a row. The checksum
 * (CRC-32, 8 hex digits) is verified when the body is parsed.
 */
import { crc32 } from "node:zlib";
import type { z } from "zod";
import { AppError, type AppErrorOptions } from "../errors.ts";

/** A stored record cannot be read: it is damaged, or of another version. */
export class DamagedError extends AppError {
  constructor(message: string, options: AppErrorOptions) {
    super("store", message, options);
  }
}

/** A value as a checked body. */
export function encodeBody(value: unknown): string {
  const text = JSON.stringify(value);
  return checksum(text) + text;
}

/** The JSON value of a body. Errors: `DamagedError` when the checksum does not match. */
export function decodeBody(body: unknown): unknown {
  const text = typeof body === "string" ? body.slice(8) : "";
  if (typeof body !== "string" || body.slice(0, 8) !== checksum(text)) {
    throw new DamagedError("Cannot read a stored record: its checksum does not match its content", {
      hint: "The disk or the file is damaged: restore a backup, and check the disk",
    });
  }
  return JSON.parse(text);
}

/** The parsed and validated value of a body. Errors: `DamagedError`. */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  return parseStored(schema, decodeBody(body));
}

/** The validated value of a column. Errors: `DamagedError` when it is none that was ever written. */
export function parseStored<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DamagedError(
    `Cannot read a stored record: ${parsed.error.issues[0]?.message ?? "wrong shape"}`,
    {
      hint: "It was written by another version of Skerry, or is damaged",
      cause: parsed.error,
    },
  );
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
