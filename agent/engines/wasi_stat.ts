/** Rights, states and times of files as WASI writes them. */
import type fs from "node:fs";
import { wasi } from "@bjorn3/browser_wasi_shim";
import { WasiError } from "./wasi_errno.ts";
import { filetypeOf, type Place } from "./wasi_tree.ts";

/** Everything. */
export const ALL_RIGHTS = 0x1fff_ffffn;
/** To read a file. */
export const RIGHT_READ = BigInt(wasi.RIGHTS_FD_READ);
/** To write a file. */
export const RIGHT_WRITE = BigInt(wasi.RIGHTS_FD_WRITE);
/** What makes libc take a descriptor for a terminal is that it lacks these. */
const RIGHTS_SEEK = BigInt(wasi.RIGHTS_FD_SEEK) | BigInt(wasi.RIGHTS_FD_TELL);

/** State of a descriptor. A character device is told apart from a file by that it cannot seek. */
export function fdstat(filetype: number, options: { flags: number; rights: bigint }): wasi.Fdstat {
  const stat = new wasi.Fdstat(filetype, options.flags);
  stat.fs_rights_base = filetype === wasi.FILETYPE_CHARACTER_DEVICE
    ? options.rights & ~RIGHTS_SEEK
    : options.rights;
  return stat;
}

/** The library's puts times at wrong offsets (38, 46 and 52), over the size. */
export class ExactFilestat extends wasi.Filestat {
  override write_bytes(view: DataView, at: number): void {
    view.setBigUint64(at, this.dev, true);
    view.setBigUint64(at + 8, this.ino, true);
    view.setBigUint64(at + 16, BigInt(this.filetype), true);
    view.setBigUint64(at + 24, this.nlink, true);
    view.setBigUint64(at + 32, this.size, true);
    view.setBigUint64(at + 40, this.atim, true);
    view.setBigUint64(at + 48, this.mtim, true);
    view.setBigUint64(at + 56, this.ctim, true);
  }
}

/** State of an open file. */
export function toFilestat(info: fs.Stats, filetype: number): wasi.Filestat {
  const stat = new ExactFilestat(BigInt(info.ino), filetype, BigInt(info.size));
  stat.dev = BigInt(info.dev);
  stat.nlink = BigInt(info.nlink);
  stat.atim = toNanos(info.atimeMs);
  stat.mtim = toNanos(info.mtimeMs);
  stat.ctim = toNanos(info.ctimeMs);
  return stat;
}

/** State of what is at a place. */
export function placeFilestat(place: Place): wasi.Filestat {
  const info = place.info;
  const stat = new ExactFilestat(BigInt(info?.ino ?? 1), filetypeOf(place), BigInt(info?.size ?? 0));
  stat.dev = BigInt(info?.dev ?? 0);
  stat.nlink = BigInt(info?.nlink ?? 1);
  stat.atim = toNanos(info?.atime?.getTime() ?? 0);
  stat.mtim = toNanos(info?.mtime?.getTime() ?? 0);
  stat.ctim = toNanos(info?.ctime?.getTime() ?? 0);
  return stat;
}

function toNanos(ms: number): bigint {
  return BigInt(Math.trunc(ms * 1000)) * 1000n;
}

/** Seconds for `utimes`: what the module gave, now, or as it is. */
export function timeOf(nanos: bigint, flags: number, which: "atime" | "mtime", asIsMs: number): number {
  const set = which === "atime" ? wasi.FSTFLAGS_ATIM : wasi.FSTFLAGS_MTIM;
  const setNow = which === "atime" ? wasi.FSTFLAGS_ATIM_NOW : wasi.FSTFLAGS_MTIM_NOW;
  if ((flags & set) !== 0 && (flags & setNow) !== 0) throw new WasiError(wasi.ERRNO_INVAL);
  if ((flags & set) !== 0) return Number(BigInt.asUintN(64, nanos)) / 1e9;
  return (flags & setNow) !== 0 ? Date.now() / 1000 : asIsMs / 1000;
}

/** A size or offset as a number, or EINVAL. */
export function toOffset(value: bigint): number {
  const offset = Number(value);
  if (offset < 0 || !Number.isSafeInteger(offset)) throw new WasiError(wasi.ERRNO_INVAL);
  return offset;
}
