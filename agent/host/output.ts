/** Output as the engines write it, as pages of text. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { LOG_START, type LogCursor, readLogs } from "../engines/log_files.ts";
import type { OutputPage, OutputPiece } from "./host.ts";

/** Bytes of one page: as JSON, with every byte escaped, it still fits a message of the bus. */
const PAGE_BYTES = 64 * 1024;

const offset = z.number().int().nonnegative();
const Cursor = z.tuple([offset, offset, offset, offset, offset]);

/** The page after `cursor`; "" is the beginning. */
export async function readOutputPage(folder: string, cursor: string): Promise<OutputPage> {
  const from = cursor === "" ? LOG_START : parseCursor(cursor);
  const page = await readLogs(folder, from, PAGE_BYTES);
  const pieces: OutputPiece[] = page.records.map(({ stream, bytes, atMs }) => ({
    stream,
    text: new TextDecoder().decode(bytes),
    atMs,
  }));
  for (const stream of ["stdout", "stderr"] as const) {
    const cutBytes = page.droppedBytes[stream];
    if (cutBytes > 0) pieces.push({ stream, text: "", atMs: pieces.at(-1)?.atMs ?? Date.now(), cutBytes });
  }
  return { pieces, cursor: formatCursor(page.cursor), isComplete: page.isComplete };
}

function formatCursor(cursor: LogCursor): string {
  const { stdoutOffset, stderrOffset, indexOffset, stdoutIndexed, stderrIndexed } = cursor;
  return [stdoutOffset, stderrOffset, indexOffset, stdoutIndexed, stderrIndexed].join(".");
}

function parseCursor(text: string): LogCursor {
  const parsed = Cursor.safeParse(text.split(".").map(Number));
  if (!parsed.success) {
    throw new AppError("bad_request", "Cannot read output: the cursor is not one of an earlier answer");
  }
  const [stdoutOffset, stderrOffset, indexOffset, stdoutIndexed, stderrIndexed] = parsed.data;
  return { stdoutOffset, stderrOffset, indexOffset, stdoutIndexed, stderrIndexed };
}
