/**
 * How a message becomes bytes: a head of JSON, and for chunks the raw bytes behind it. First 4 bytes: length of the
 * head, little endian.
 */
import type { z } from "zod";
import { AppError, type ErrorCode, ERRORS } from "../errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message without raw bytes. */
export function encodeMessage(message: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(message));
}

/** Errors: `bad_request` when the bytes are not such a message. */
export function decodeMessage<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(decoder.decode(bytes)));
  } catch (cause) {
    throw new AppError("bad_request", "Cannot read a message from the bus: wrong shape", { cause });
  }
}

/** What a request is answered with: a value, raw bytes, or an error. */
export interface Answer {
  readonly value?: unknown;
  readonly bytes?: Uint8Array;
  readonly error?: { code: string; message: string; hint?: string };
}

/** The answer as bytes. */
export function encodeAnswer({ value, bytes, error }: Answer): Uint8Array {
  const head = encoder.encode(JSON.stringify({ value, error }));
  const whole = new Uint8Array(4 + head.length + (bytes?.length ?? 0));
  new DataView(whole.buffer).setUint32(0, head.length, true);
  whole.set(head, 4);
  if (bytes !== undefined) whole.set(bytes, 4 + head.length);
  return whole;
}

/** Errors: the `AppError` that the other side answered with. */
export function decodeAnswer(whole: Uint8Array): { value: unknown; bytes: Uint8Array } {
  const headLength = new DataView(whole.buffer, whole.byteOffset, whole.byteLength).getUint32(0, true);
  const head = JSON.parse(decoder.decode(whole.subarray(4, 4 + headLength))) as Answer;
  if (head.error !== undefined) {
    const code = Object.hasOwn(ERRORS, head.error.code) ? head.error.code as ErrorCode : "internal";
    throw new AppError(code, head.error.message, { hint: head.error.hint });
  }
  return { value: head.value, bytes: whole.subarray(4 + headLength) };
}
