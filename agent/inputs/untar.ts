/**
 * Unpacks a gzipped tar safely (POSIX ustar with pax and GNU long names): folders and plain files only, nothing outside
 * the folder, bounded in bytes and files. Links, devices and the like are refused.
 */
import { gunzipSync } from "node:zlib";
import { AppError } from "../../shared/errors.ts";

const BLOCK = 512;
/** What one file costs beside its bytes: bounds the archive's own size when it is unpacked. */
const OVERHEAD_BYTES = 4 * BLOCK;

/** Bounds of an archive once unpacked. */
export interface ArchiveBounds {
  readonly bytesMax: number;
  readonly filesMax: number;
}

interface TarEntry {
  readonly path: string;
  readonly kind: "file" | "folder";
  readonly bytes: Uint8Array;
  readonly isExecutable: boolean;
}

/** Errors: `input_failed`, saying what is wrong with the archive. */
export function unpackTarGz(archivePath: string, folder: string, bounds: ArchiveBounds): void {
  const seen = new Set<string>();
  for (
    const { path, kind, bytes, isExecutable } of readTar(
      gunzip(Deno.readFileSync(archivePath), bounds),
      bounds,
    )
  ) {
    const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
    if (parent !== "" && !seen.has(parent)) {
      Deno.mkdirSync(`${folder}/${parent}`, { recursive: true, mode: 0o755 });
      seen.add(parent);
    }
    if (kind === "folder") Deno.mkdirSync(`${folder}/${path}`, { recursive: true, mode: 0o755 });
    else Deno.writeFileSync(`${folder}/${path}`, bytes, { mode: isExecutable ? 0o755 : 0o644 });
  }
}

function gunzip(packed: Uint8Array, { bytesMax, filesMax }: ArchiveBounds): Uint8Array {
  const maxOutputLength = bytesMax + filesMax * OVERHEAD_BYTES;
  try {
    return gunzipSync(packed, { maxOutputLength });
  } catch (cause) {
    const isLarge = cause instanceof RangeError || String(cause).includes("larger than");
    throw refused(isLarge ? `it must unpack to at most ${bytesMax} bytes` : "it is no gzip archive", cause);
  }
}

/** Folders and files of a tar, in order. Exported for its test. */
export function* readTar(tar: Uint8Array, { bytesMax, filesMax }: ArchiveBounds): Generator<TarEntry> {
  let [at, files, total] = [0, 0, 0];
  let longName: string | undefined;
  while (at + BLOCK <= tar.length) {
    const header = tar.subarray(at, at + BLOCK);
    at += BLOCK;
    if (header.every((byte) => byte === 0)) return;
    verifyChecksum(header);
    const size = octal(header, 124, 12);
    if (!Number.isSafeInteger(size) || at + size > tar.length) throw refused("it is cut off");
    const bytes = tar.subarray(at, at + size);
    at += Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === "x") longName = paxPath(bytes) ?? longName;
    else if (type === "L") longName = text(bytes, 0, bytes.length);
    if ("xgLK".includes(type)) continue;
    const name = longName ?? ustarName(header);
    longName = undefined;
    const isFolder = type === "5";
    if (!isFolder && type !== "0" && type !== "\0") throw refused(`"${name}" must be a file or a folder`);
    total += size;
    if (++files > filesMax) throw refused(`it must have at most ${filesMax} files`);
    if (total > bytesMax) throw refused(`it must unpack to at most ${bytesMax} bytes`);
    const path = cleanName(name);
    if (path === "") continue;
    const isExecutable = (octal(header, 100, 8) & 0o100) !== 0;
    yield { path, kind: isFolder ? "folder" : "file", bytes, isExecutable };
  }
}

function cleanName(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const isHostile = name.startsWith("/") || parts.includes("..") || name.includes("\\") ||
    name.includes("\0");
  if (isHostile || name.length > 4096) throw refused(`the name "${name.slice(0, 100)}" leads out of it`);
  return parts.join("/");
}

function ustarName(header: Uint8Array): string {
  const name = text(header, 0, 100);
  const prefix = text(header, 257, 5) === "ustar" ? text(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** The record `path` of a pax header: `<length> path=<value>\n`. */
function paxPath(bytes: Uint8Array): string | undefined {
  let found: string | undefined;
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? NaN : Number(text(bytes, at, space - at));
    if (!(length > 0) || at + length > bytes.length) throw refused("a header of it is damaged");
    const record = new TextDecoder().decode(bytes.subarray(space + 1, at + length - 1));
    if (record.startsWith("path=")) found = record.slice(5);
    at += length;
  }
  return found;
}

function verifyChecksum(header: Uint8Array): void {
  let sum = 0;
  for (let index = 0; index < BLOCK; index++) sum += index >= 148 && index < 156 ? 0x20 : header[index]!;
  if (sum !== octal(header, 148, 8)) throw refused("a header of it is damaged");
}

function octal(bytes: Uint8Array, from: number, length: number): number {
  const digits = text(bytes, from, length).trim();
  return /^[0-7]*$/.test(digits) ? parseInt(digits || "0", 8) : NaN;
}

function text(bytes: Uint8Array, from: number, length: number): string {
  const part = bytes.subarray(from, from + length);
  const end = part.indexOf(0);
  return new TextDecoder().decode(end < 0 ? part : part.subarray(0, end));
}

function refused(why: string, cause?: unknown): AppError {
  return new AppError("input_failed", `Cannot unpack an inline archive: ${why}`, {
    hint: "Send a .tar.gz of plain files and folders, or give the files one by one",
    cause,
  });
}
