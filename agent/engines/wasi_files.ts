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
import { filetypeOf, type Place, type TreeEntry, type TreeMount, type WasiTree } from "./wasi_tree.ts";

const ALL_RIGHTS = 0x1fff_ffffn;
const RIGHT_READ = BigInt(wasi.RIGHTS_FD_READ);
const RIGHT_WRITE = BigInt(wasi.RIGHTS_FD_WRITE);
/** What makes libc take a descriptor for a terminal is that it lacks these. */
const RIGHTS_SEEK = BigInt(wasi.RIGHTS_FD_SEEK) | BigInt(wasi.RIGHTS_FD_TELL);
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

  /** The descriptor of the tree's root, the only one that a module starts with beside its standard streams. */
  root(): Fd {
    return new HostFolder(this, []);
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

function inodeKey(info: { dev: number; ino: number | null }): string {
  return `${info.dev}:${info.ino}`;
}

/** The place must lie in a mount that the task may change. */
function requireWritable(place: Place): void {
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

/** An open folder: its path in the tree. */
class HostFolder extends Fd {
  readonly #files: WasiFiles;
  #entries: readonly TreeEntry[] = [];

  constructor(files: WasiFiles, readonly names: readonly string[]) {
    super();
    this.#files = files;
  }

  #find(path: string, isLinkFollowed: boolean): Place {
    return this.#files.tree.resolve(this.names, path, { isLinkFollowed });
  }

  /** A place that a name may be added to or removed from. Trailing slashes do not count. */
  #findToChange(path: string): Place {
    const place = this.#find(path.replace(/(?<=[^/])\/+$/, ""), false);
    if (place.isPinned) throw new WasiError(place.mount === undefined ? wasi.ERRNO_ROFS : wasi.ERRNO_BUSY);
    requireWritable(place);
    return place;
  }

  #self(): Place {
    return this.#find(".", true);
  }

  override fd_prestat_get() {
    return this.names.length === 0
      ? { ret: 0, prestat: wasi.Prestat.dir("/") }
      : { ret: wasi.ERRNO_NOTSUP, prestat: null };
  }

  override fd_fdstat_get() {
    const stat = fdstat(wasi.FILETYPE_DIRECTORY, { flags: 0, rights: ALL_RIGHTS });
    stat.fs_rights_inherited = ALL_RIGHTS;
    return { ret: 0, fdstat: stat };
  }

  override fd_fdstat_set_flags() {
    return 0;
  }

  override fd_filestat_get() {
    return this.path_filestat_get(1, ".");
  }

  override fd_filestat_set_times(atim: bigint, mtim: bigint, flags: number) {
    return this.path_filestat_set_times(1, ".", atim, mtim, flags);
  }

  override fd_read() {
    return { ret: wasi.ERRNO_ISDIR, data: NO_BYTES };
  }

  override fd_pread() {
    return { ret: wasi.ERRNO_ISDIR, data: NO_BYTES };
  }

  override fd_write() {
    return { ret: wasi.ERRNO_ISDIR, nwritten: 0 };
  }

  override fd_pwrite() {
    return { ret: wasi.ERRNO_ISDIR, nwritten: 0 };
  }

  /** The folder is read when the first entry is asked for, so that a module may remove what it has seen. */
  override fd_readdir_single(cookie: bigint) {
    try {
      if (cookie === 0n) {
        const dot = { name: ".", filetype: wasi.FILETYPE_DIRECTORY };
        this.#entries = [dot, { ...dot, name: ".." }, ...this.#files.tree.list(this.#self())];
      }
      const entry = this.#entries[Number(cookie)];
      if (entry === undefined) return { ret: 0, dirent: null };
      return {
        ret: 0,
        dirent: new wasi.Dirent(cookie + 1n, this.#inodeOf(entry.name), entry.name, entry.filetype),
      };
    } catch (error) {
      return { ret: errnoOf(error), dirent: null };
    }
  }

  #inodeOf(name: string): bigint {
    try {
      const path = name === ".." && this.names.length === 0 ? "." : name;
      return BigInt(this.#find(path, false).info?.ino ?? 1);
    } catch {
      return 1n;
    }
  }

  override path_filestat_get(flags: number, path: string) {
    try {
      const place = this.#find(path, (flags & 1) !== 0);
      if (place.info === undefined && !place.isFolder) return { ret: wasi.ERRNO_NOENT, filestat: null };
      return { ret: 0, filestat: placeFilestat(place) };
    } catch (error) {
      return { ret: errnoOf(error), filestat: null };
    }
  }

  override path_filestat_set_times(
    flags: number,
    path: string,
    atim: bigint,
    mtim: bigint,
    fstFlags: number,
  ) {
    return answer(() => {
      const place = this.#find(path, (flags & 1) !== 0);
      requireWritable(place);
      if (place.info === undefined) throw new WasiError(wasi.ERRNO_NOENT);
      const atime = timeOf(atim, fstFlags, "atime", place.info.atime?.getTime() ?? 0);
      const mtime = timeOf(mtim, fstFlags, "mtime", place.info.mtime?.getTime() ?? 0);
      fs.lutimesSync(place.hostPath!, atime, mtime);
    });
  }

  override path_open(
    dirflags: number,
    path: string,
    oflags: number,
    rights: bigint,
    _inheriting: bigint,
    flags: number,
  ): { ret: number; fd_obj: Fd | null } {
    try {
      return { ret: 0, fd_obj: this.#open({ dirflags, path, oflags, rights, flags }) };
    } catch (error) {
      return { ret: errnoOf(error), fd_obj: null };
    }
  }

  #open(how: { dirflags: number; path: string; oflags: number; rights: bigint; flags: number }): Fd {
    const isExclusive = (how.oflags & wasi.OFLAGS_CREAT) !== 0 && (how.oflags & wasi.OFLAGS_EXCL) !== 0;
    const place = this.#find(how.path, (how.dirflags & 1) !== 0 && !isExclusive);
    const isThere = place.info !== undefined || place.isFolder;
    if (place.isLink) throw new WasiError(isExclusive ? wasi.ERRNO_EXIST : wasi.ERRNO_LOOP);
    if (isThere && isExclusive) throw new WasiError(wasi.ERRNO_EXIST);
    if (!isThere && (how.oflags & wasi.OFLAGS_CREAT) === 0) throw new WasiError(wasi.ERRNO_NOENT);
    const canRead = (how.rights & RIGHT_READ) !== 0n;
    const canWrite = (how.rights & RIGHT_WRITE) !== 0n;
    if (place.isFolder) {
      const isWritten = (how.oflags & (wasi.OFLAGS_TRUNC | wasi.OFLAGS_CREAT)) !== 0;
      if (isWritten && (how.oflags & wasi.OFLAGS_DIRECTORY) === 0) throw new WasiError(wasi.ERRNO_ISDIR);
      return new HostFolder(this.#files, place.names);
    }
    if ((how.oflags & wasi.OFLAGS_DIRECTORY) !== 0) {
      throw new WasiError(isThere ? wasi.ERRNO_NOTDIR : wasi.ERRNO_INVAL);
    }
    return this.#files.openFile(place, { canRead, canWrite, oflags: how.oflags, flags: how.flags });
  }

  override path_create_directory(path: string) {
    return answer(() => {
      const place = this.#find(path.replace(/(?<=[^/])\/+$/, ""), false);
      if (place.info !== undefined || place.isFolder) throw new WasiError(wasi.ERRNO_EXIST);
      requireWritable(place);
      if (!this.#files.quota.takeEntry()) throw new WasiError(wasi.ERRNO_NOSPC);
      this.#files.hasWritten = true;
      fs.mkdirSync(place.hostPath!, 0o755);
    });
  }

  override path_remove_directory(path: string) {
    return answer(() => {
      const place = this.#findToChange(path);
      if (place.info === undefined) throw new WasiError(wasi.ERRNO_NOENT);
      if (!place.isFolder) throw new WasiError(wasi.ERRNO_NOTDIR);
      fs.rmdirSync(place.hostPath!);
      this.#files.removed(place);
    });
  }

  override path_unlink_file(path: string) {
    return answer(() => {
      if (path.endsWith("/")) throw new WasiError(wasi.ERRNO_NOTDIR);
      const place = this.#findToChange(path);
      if (place.info === undefined) throw new WasiError(wasi.ERRNO_NOENT);
      if (place.isFolder) throw new WasiError(wasi.ERRNO_ISDIR);
      fs.unlinkSync(place.hostPath!);
      this.#files.removed(place);
    });
  }

  /** Renames to `newPath` seen from `newFolder`, within one mount. */
  rename(oldPath: string, newFolder: Fd, newPath: string): number {
    return answer(() => {
      const from = this.#findToChange(oldPath);
      const to = folderOf(newFolder).#findToChange(newPath);
      if (from.info === undefined) throw new WasiError(wasi.ERRNO_NOENT);
      if (from.mount !== to.mount) throw new WasiError(wasi.ERRNO_XDEV);
      if (from.hostPath === to.hostPath) return;
      if (from.isLink) requireInnerLink(to, Deno.readLinkSync(from.hostPath!));
      fs.renameSync(from.hostPath!, to.hostPath!);
      this.#files.hasWritten = true;
      if (to.info !== undefined && inodeKey(to.info) !== inodeKey(from.info)) this.#files.removed(to);
    });
  }

  /** A second name for a regular file of the same writable mount. */
  link(oldPath: string, isLinkFollowed: boolean, newFolder: Fd, newPath: string): number {
    return answer(() => {
      const from = this.#find(oldPath, isLinkFollowed);
      const to = folderOf(newFolder).#findToChange(newPath);
      if (from.info === undefined && !from.isFolder) throw new WasiError(wasi.ERRNO_NOENT);
      if (to.info !== undefined) throw new WasiError(wasi.ERRNO_EXIST);
      if (!from.info?.isFile) throw new WasiError(wasi.ERRNO_PERM);
      if (from.mount !== to.mount) throw new WasiError(wasi.ERRNO_XDEV);
      if (!this.#files.quota.takeEntry()) throw new WasiError(wasi.ERRNO_NOSPC);
      fs.linkSync(from.hostPath!, to.hostPath!);
      this.#files.hasWritten = true;
    });
  }

  /** A link in a result folder whose text stays within it. Elsewhere others could be led astray by it. */
  symlink(text: string, path: string): number {
    return answer(() => {
      const place = this.#findToChange(path);
      if (this.#files.isShared(place.mount)) throw new WasiError(wasi.ERRNO_PERM);
      if (place.info !== undefined) throw new WasiError(wasi.ERRNO_EXIST);
      requireInnerLink(place, text);
      if (!this.#files.quota.takeEntry()) throw new WasiError(wasi.ERRNO_NOSPC);
      Deno.symlinkSync(text, place.hostPath!);
      this.#files.hasWritten = true;
    });
  }

  override path_readlink(path: string) {
    try {
      const place = this.#find(path, false);
      if (place.info === undefined && !place.isFolder) return { ret: wasi.ERRNO_NOENT, data: null };
      if (!place.isLink) return { ret: wasi.ERRNO_INVAL, data: null };
      return { ret: 0, data: Deno.readLinkSync(place.hostPath!) };
    } catch (error) {
      return { ret: errnoOf(error), data: null };
    }
  }
}

/** The folder behind a descriptor, or ENOTDIR. */
export function folderOf(fd: Fd): HostFolder {
  if (fd instanceof HostFolder) return fd;
  throw new WasiError(wasi.ERRNO_NOTDIR);
}

/** A link at `place` may say `text` only when that stays within the mount, read without following further links. */
function requireInnerLink(place: Place, text: string): void {
  if (text === "" || text.startsWith("/") || text.includes("\0")) throw new WasiError(wasi.ERRNO_PERM);
  const inside = place.hostPath!.slice(place.mount!.hostPath.length + 1);
  let depth = inside.split("/").length - 1;
  for (const name of text.split("/")) {
    if (name === "..") depth--;
    else if (name !== "" && name !== ".") depth++;
    if (depth < 0) throw new WasiError(wasi.ERRNO_PERM);
  }
}

function fdstat(filetype: number, options: { flags: number; rights: bigint }): wasi.Fdstat {
  const stat = new wasi.Fdstat(filetype, options.flags);
  stat.fs_rights_base = filetype === wasi.FILETYPE_CHARACTER_DEVICE
    ? options.rights & ~RIGHTS_SEEK
    : options.rights;
  return stat;
}

/** The library's puts times at wrong offsets (38, 46 and 52), over the size. */
class ExactFilestat extends wasi.Filestat {
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

function toFilestat(info: fs.Stats, filetype: number): wasi.Filestat {
  const stat = new ExactFilestat(BigInt(info.ino), filetype, BigInt(info.size));
  stat.dev = BigInt(info.dev);
  stat.nlink = BigInt(info.nlink);
  stat.atim = toNanos(info.atimeMs);
  stat.mtim = toNanos(info.mtimeMs);
  stat.ctim = toNanos(info.ctimeMs);
  return stat;
}

function placeFilestat(place: Place): wasi.Filestat {
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
function timeOf(nanos: bigint, flags: number, which: "atime" | "mtime", asIsMs: number): number {
  const set = which === "atime" ? wasi.FSTFLAGS_ATIM : wasi.FSTFLAGS_MTIM;
  const setNow = which === "atime" ? wasi.FSTFLAGS_ATIM_NOW : wasi.FSTFLAGS_MTIM_NOW;
  if ((flags & set) !== 0 && (flags & setNow) !== 0) throw new WasiError(wasi.ERRNO_INVAL);
  if ((flags & set) !== 0) return Number(BigInt.asUintN(64, nanos)) / 1e9;
  return (flags & setNow) !== 0 ? Date.now() / 1000 : asIsMs / 1000;
}

function toOffset(value: bigint): number {
  const offset = Number(value);
  if (offset < 0 || !Number.isSafeInteger(offset)) throw new WasiError(wasi.ERRNO_INVAL);
  return offset;
}
