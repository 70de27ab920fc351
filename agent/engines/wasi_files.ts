/**
 * A module's open files and folders over the host's: the descriptors that `@bjorn3/browser_wasi_shim` calls.
 *
 * Read-only mounts answer EROFS to everything that would change them. In writable ones, growth is taken from the quota
 * before it is written, holes included; only regular files and folders can be opened.
 */
import { Buffer } from "node:buffer";
import fs from "node:fs";
import { Fd, wasi } from "@bjorn3/browser_wasi_shim";
import type { Mount } from "./engine.ts";
import { answer, errnoOf, WasiError } from "./wasi_errno.ts";
import type { DiskQuota } from "./wasi_quota.ts";
import {
  ALL_RIGHTS,
  ExactFilestat,
  fdstat,
  RIGHT_READ,
  RIGHT_WRITE,
  timeOf,
  toFilestat,
  toOffset,
} from "./wasi_stat.ts";
import type { Place, TreeMount, WasiTree } from "./wasi_tree.ts";

const NO_BYTES = new Uint8Array();
/** How often what was opened is compared with its path, where others may swap folders meanwhile. */
const LOOKS = 5;
/** One read of the host at most, however much a module asks for. */
const READ_BYTES_MAX = 16 * 1024 * 1024;

/** A file of a writable mount that is open, by device and inode: its size is kept here, for the quota. */
interface OpenInode {
  readonly key: string;
  size: number;
  handles: number;
  isRemoved: boolean;
}

/** Everything that the descriptors of one execution share. */
export class WasiFiles {
  readonly #inodes = new Map<string, OpenInode>();
  readonly #open = new Set<HostFile>();
  /** Whether anything in a result folder may have changed. */
  hasWritten = false;

  readonly #results: ReadonlySet<string>;
  readonly quota: DiskQuota;

  /** `results` are mounts that nobody else changes, and that the caller puts on disk when the module has ended. */
  constructor(readonly tree: WasiTree, options: { quota: DiskQuota; results: readonly Mount[] }) {
    this.quota = options.quota;
    this.#results = new Set(options.results.map((mount) => mount.hostPath));
  }

  /** Others may use the mount as well. */
  isShared(mount: Mount | undefined): boolean {
    return mount !== undefined && !this.#results.has(mount.hostPath);
  }

  /** Standard input from a file of the host, or empty. */
  input(hostPath: string | undefined): Fd {
    if (hostPath === undefined) return new EmptyInput();
    const fd = fs.openSync(hostPath, fs.constants.O_RDONLY);
    return this.#opened(new HostFile(this, { fd, canRead: true, canWrite: false, flags: 0 }));
  }

  openFile(place: Place, how: { canRead: boolean; canWrite: boolean; oflags: number; flags: number }): Fd {
    const isNew = place.info === undefined;
    if (!isNew && !place.info.isFile) throw new WasiError(wasi.ERRNO_ACCES);
    const isTruncated = (how.oflags & wasi.OFLAGS_TRUNC) !== 0;
    if (isNew || how.canWrite || isTruncated) requireWritable(place);
    if (isNew && !this.quota.takeEntry()) throw new WasiError(wasi.ERRNO_NOSPC);
    const isWritten = how.canWrite || isTruncated || isNew;
    const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    const mode = (isWritten ? O_RDWR : O_RDONLY) | (isNew ? O_CREAT | O_EXCL : 0) | O_NOFOLLOW | O_NONBLOCK;
    if (isNew) this.requireStraight(place);
    const fd = fs.openSync(place.hostPath!, mode, 0o644);
    try {
      const info = fs.fstatSync(fd);
      if (!info.isFile()) throw new WasiError(wasi.ERRNO_ACCES);
      this.#checkSame(place, info);
      const inode = place.mount!.isReadOnly ? undefined : this.#inodeOf(info);
      if (isWritten) this.hasWritten = true;
      const file = new HostFile(this, {
        fd,
        canRead: how.canRead,
        canWrite: how.canWrite,
        flags: how.flags,
        inode,
        mount: place.mount,
      });
      if (isTruncated) this.resize(inode!, fd, 0);
      return this.#opened(file);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  /** Sets a file's size and accounts for it. */
  resize(inode: OpenInode, fd: number, size: number): void {
    const growth = size - inode.size;
    if (growth > 0 && !this.quota.takeAll(growth)) throw new WasiError(wasi.ERRNO_NOSPC);
    try {
      fs.ftruncateSync(fd, size);
    } catch (error) {
      this.quota.give(Math.max(0, growth));
      throw error;
    }
    if (growth < 0) this.quota.give(-growth);
    inode.size = size;
  }

  /** Accounts for the removal of a name. */
  removed(place: Place): void {
    this.hasWritten = true;
    this.quota.giveEntry();
    const info = place.info!;
    if (!info.isFile || (info.nlink ?? 1) > 1) return;
    const open = this.#inodes.get(inodeKey(info));
    if (open !== undefined) open.isRemoved = true;
    else this.quota.give(info.size);
  }

  closed(file: HostFile, inode: OpenInode | undefined): void {
    this.#open.delete(file);
    if (inode === undefined || --inode.handles > 0) return;
    this.#inodes.delete(inode.key);
    if (inode.isRemoved) this.quota.give(inode.size);
  }

  /** Closes what the module left open. */
  closeAll(): void {
    for (const file of [...this.#open]) file.fd_close();
  }

  #opened(file: HostFile): HostFile {
    this.#open.add(file);
    return file;
  }

  #inodeOf(info: fs.Stats): OpenInode {
    const key = inodeKey(info);
    let inode = this.#inodes.get(key);
    if (inode === undefined) {
      this.#inodes.set(key, inode = { key, size: info.size, handles: 0, isRemoved: false });
    }
    inode.handles++;
    return inode;
  }

  /**
   * No folder on the way may have become a link since it was looked at: asked just before something is changed by its path
   * in a mount that others use as well. Who swaps folders at the very moment of the change is not noticed.
   */
  requireStraight(...places: readonly Place[]): void {
    for (const { mount, hostPath } of places) {
      const parent = hostPath!.slice(0, hostPath!.lastIndexOf("/"));
      if (!this.isShared(mount) || parent.length <= mount!.hostPath.length) continue;
      if (Deno.realPathSync(parent) !== mount!.realPathOf(parent)) throw new WasiError(wasi.ERRNO_NOENT);
    }
  }

  /**
   * Somebody on the host may have swapped a file, or a folder on the way, while it was opened: what is open must be what
   * was looked at, by a path without links. No call of the system tells both at once, so several looks have to agree,
   * each of which would have to be met by two swaps at the right moment. Nobody but the module, which has one thread,
   * changes a result folder.
   */
  #checkSame(place: Place, opened: fs.Stats): void {
    const mount = place.mount!;
    const key = inodeKey(opened);
    if (place.info !== undefined && inodeKey(place.info) !== key) throw new WasiError(wasi.ERRNO_NOENT);
    // In the mount's own folder there is nothing on the way, and a link in last place is not opened.
    const isOwn = !this.isShared(mount) || !place.hostPath!.slice(mount.hostPath.length + 1).includes("/");
    for (let look = 0; look < LOOKS && !isOwn; look++) {
      const isStraight = Deno.realPathSync(place.hostPath!) === mount.realPathOf(place.hostPath!);
      if (!isStraight || inodeKey(Deno.lstatSync(place.hostPath!)) !== key) {
        throw new WasiError(wasi.ERRNO_NOENT);
      }
    }
  }
}

/** Tells a file from others. */
export function inodeKey(info: { dev: number; ino: number | null }): string {
  return `${info.dev}:${info.ino}`;
}

/** The place must lie in a mount that the task may change. */
export function requireWritable(place: Place): void {
  if (place.mount === undefined || place.mount.isReadOnly) throw new WasiError(wasi.ERRNO_ROFS);
}

/** Standard input that is at its end. */
class EmptyInput extends Fd {
  override fd_fdstat_get() {
    return { ret: 0, fdstat: fdstat(wasi.FILETYPE_UNKNOWN, { flags: 0, rights: RIGHT_READ }) };
  }
  override fd_filestat_get() {
    return { ret: 0, filestat: new ExactFilestat(0n, wasi.FILETYPE_UNKNOWN, 0n) };
  }
  override fd_read() {
    return { ret: 0, data: NO_BYTES };
  }
}

/** Standard output or error. A character device without seeking, so that libc writes line by line. */
export class OutputStream extends Fd {
  readonly #write: (bytes: Uint8Array) => void;

  constructor(write: (bytes: Uint8Array) => void) {
    super();
    this.#write = write;
  }
  override fd_fdstat_get() {
    return {
      ret: 0,
      fdstat: fdstat(wasi.FILETYPE_CHARACTER_DEVICE, { flags: wasi.FDFLAGS_APPEND, rights: RIGHT_WRITE }),
    };
  }
  override fd_filestat_get() {
    return { ret: 0, filestat: new ExactFilestat(0n, wasi.FILETYPE_CHARACTER_DEVICE, 0n) };
  }
  override fd_fdstat_set_flags() {
    return 0;
  }
  override fd_seek() {
    return { ret: wasi.ERRNO_SPIPE, offset: 0n };
  }
  override fd_tell() {
    return { ret: wasi.ERRNO_SPIPE, offset: 0n };
  }
  override fd_write(data: Uint8Array) {
    const ret = answer(() => this.#write(data));
    return { ret, nwritten: ret === 0 ? data.length : 0 };
  }
}

/** An open regular file. */
export class HostFile extends Fd {
  readonly #files: WasiFiles;
  readonly #fd: number;
  readonly #canRead: boolean;
  readonly #canWrite: boolean;
  readonly #inode: OpenInode | undefined;
  readonly #mount: TreeMount | undefined;
  #flags: number;
  #offset = 0;
  #isOpen = true;

  constructor(
    files: WasiFiles,
    options: {
      fd: number;
      canRead: boolean;
      canWrite: boolean;
      flags: number;
      inode?: OpenInode;
      mount?: TreeMount;
    },
  ) {
    super();
    this.#files = files;
    this.#fd = options.fd;
    this.#canRead = options.canRead;
    this.#canWrite = options.canWrite;
    this.#flags = options.flags;
    this.#inode = options.inode;
    this.#mount = options.mount;
  }

  override fd_close() {
    if (!this.#isOpen) return wasi.ERRNO_BADF;
    this.#isOpen = false;
    const isSynced = this.#canWrite && this.#files.isShared(this.#mount);
    const ret = isSynced ? answer(() => fs.fsyncSync(this.#fd)) : 0;
    fs.closeSync(this.#fd);
    this.#files.closed(this, this.#inode);
    return ret;
  }

  override fd_fdstat_get() {
    let rights = ALL_RIGHTS;
    if (!this.#canRead) rights &= ~RIGHT_READ;
    if (!this.#canWrite) rights &= ~RIGHT_WRITE;
    return { ret: 0, fdstat: fdstat(wasi.FILETYPE_REGULAR_FILE, { flags: this.#flags, rights }) };
  }

  override fd_fdstat_set_flags(flags: number) {
    this.#flags = flags;
    return 0;
  }

  override fd_filestat_get() {
    try {
      return { ret: 0, filestat: toFilestat(fs.fstatSync(this.#fd), wasi.FILETYPE_REGULAR_FILE) };
    } catch (error) {
      return { ret: errnoOf(error), filestat: null };
    }
  }

  override fd_filestat_set_size(size: bigint) {
    return answer(() => this.#files.resize(this.#requireWritable(), this.#fd, toOffset(size)));
  }

  override fd_allocate(offset: bigint, length: bigint) {
    return answer(() => {
      const inode = this.#requireWritable();
      const end = toOffset(offset) + toOffset(length);
      if (end > inode.size) this.#files.resize(inode, this.#fd, end);
    });
  }

  override fd_filestat_set_times(atim: bigint, mtim: bigint, flags: number) {
    return answer(() => {
      this.#requireWritable();
      const info = fs.fstatSync(this.#fd);
      fs.futimesSync(
        this.#fd,
        timeOf(atim, flags, "atime", info.atimeMs),
        timeOf(mtim, flags, "mtime", info.mtimeMs),
      );
    });
  }

  /** Reads into the module's memory without a copy in between; returns how many bytes, 0 at the end. */
  readInto(bytes: Uint8Array): number {
    if (!this.#canRead) throw new WasiError(wasi.ERRNO_BADF);
    if (bytes.length === 0) return 0;
    const count = fs.readSync(this.#fd, bytes, 0, bytes.length, this.#offset);
    this.#offset += count;
    return count;
  }

  override fd_read(size: number) {
    const result = this.#readAt(size, this.#offset);
    this.#offset += result.data.length;
    return result;
  }

  override fd_pread(size: number, offset: bigint) {
    return offset < 0n ? { ret: wasi.ERRNO_INVAL, data: NO_BYTES } : this.#readAt(size, Number(offset));
  }

  #readAt(size: number, offset: number) {
    if (!this.#canRead) return { ret: wasi.ERRNO_BADF, data: NO_BYTES };
    try {
      const buffer = Buffer.allocUnsafeSlow(Math.min(size, READ_BYTES_MAX));
      const count = buffer.length === 0 ? 0 : fs.readSync(this.#fd, buffer, 0, buffer.length, offset);
      return { ret: 0, data: buffer.subarray(0, count) };
    } catch (error) {
      return { ret: errnoOf(error), data: NO_BYTES };
    }
  }

  override fd_write(data: Uint8Array) {
    const isAppending = (this.#flags & wasi.FDFLAGS_APPEND) !== 0;
    const result = this.#writeAt(data, isAppending ? this.#inode?.size ?? 0 : this.#offset);
    if (result.ret === 0) this.#offset = result.end;
    return result;
  }

  override fd_pwrite(data: Uint8Array, offset: bigint) {
    return offset < 0n ? { ret: wasi.ERRNO_INVAL, nwritten: 0 } : this.#writeAt(data, Number(offset));
  }

  #writeAt(data: Uint8Array, offset: number) {
    let taken = 0;
    try {
      const inode = this.#requireWritable();
      if (data.length === 0) return { ret: 0, nwritten: 0, end: offset };
      const growth = Math.max(0, offset + data.length - inode.size);
      taken = this.#files.quota.take(growth);
      const length = Math.min(data.length, inode.size + taken - offset);
      if (length <= 0) throw new WasiError(wasi.ERRNO_NOSPC);
      const nwritten = fs.writeSync(this.#fd, data, 0, length, offset);
      const end = offset + nwritten;
      const grown = Math.max(0, end - inode.size);
      inode.size += grown;
      taken -= grown;
      return { ret: 0, nwritten, end };
    } catch (error) {
      return { ret: errnoOf(error), nwritten: 0, end: offset };
    } finally {
      this.#files.quota.give(taken);
    }
  }

  override fd_seek(offset: bigint, whence: number) {
    const base = whence === wasi.WHENCE_SET ? 0 : whence === wasi.WHENCE_CUR ? this.#offset : this.#size();
    const target = base + Number(offset);
    if (whence > wasi.WHENCE_END || target < 0 || !Number.isSafeInteger(target)) {
      return { ret: wasi.ERRNO_INVAL, offset: 0n };
    }
    this.#offset = target;
    return { ret: 0, offset: BigInt(target) };
  }

  override fd_tell() {
    return { ret: 0, offset: BigInt(this.#offset) };
  }

  override fd_sync() {
    return this.#inode === undefined ? 0 : answer(() => fs.fsyncSync(this.#fd));
  }

  #size(): number {
    return this.#inode?.size ?? fs.fstatSync(this.#fd).size;
  }

  #requireWritable(): OpenInode {
    if (this.#mount?.isReadOnly) throw new WasiError(wasi.ERRNO_ROFS);
    if (!this.#canWrite || this.#inode === undefined) throw new WasiError(wasi.ERRNO_BADF);
    return this.#inode;
  }
}
