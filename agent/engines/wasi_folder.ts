/** A module's open folders: everything that goes by a path. */
import fs from "node:fs";
import { Fd, wasi } from "@bjorn3/browser_wasi_shim";
import { answer, errnoOf, WasiError } from "./wasi_errno.ts";
import { inodeKey, requireWritable, type WasiFiles } from "./wasi_files.ts";
import { ALL_RIGHTS, fdstat, placeFilestat, RIGHT_READ, RIGHT_WRITE, timeOf } from "./wasi_stat.ts";
import type { Place, TreeEntry } from "./wasi_tree.ts";

const NO_BYTES = new Uint8Array();

/** The descriptor of the tree's root, the only one that a module starts with beside its standard streams. */
export function openRoot(files: WasiFiles): HostFolder {
  return new HostFolder(files, []);
}

/** An open folder: its path in the tree. */
export class HostFolder extends Fd {
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
      this.#files.requireStraight(place);
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
      this.#files.requireStraight(place);
      fs.mkdirSync(place.hostPath!, 0o755);
    });
  }

  override path_remove_directory(path: string) {
    return answer(() => {
      const place = this.#findToChange(path);
      if (place.info === undefined) throw new WasiError(wasi.ERRNO_NOENT);
      if (!place.isFolder) throw new WasiError(wasi.ERRNO_NOTDIR);
      this.#files.requireStraight(place);
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
      this.#files.requireStraight(place);
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
      if (from.isFolder && depthOf(to) < depthOf(from)) {
        requireInnerLinksBelow(from.hostPath!, depthOf(to) + 1);
      }
      this.#files.requireStraight(from, to);
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
      this.#files.requireStraight(from, to);
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

/** A link at `place` may say `text` only when that stays within the mount. */
function requireInnerLink(place: Place, text: string): void {
  if (text === "" || text.startsWith("/") || text.includes("\0") || !staysInside(text, depthOf(place))) {
    throw new WasiError(wasi.ERRNO_PERM);
  }
}

/** Links below a folder that moves up lead further up as well. Absolute ones lead where they led before. */
function requireInnerLinksBelow(folder: string, depth: number): void {
  for (const { name, isDirectory, isSymlink } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) requireInnerLinksBelow(path, depth + 1);
    if (!isSymlink) continue;
    const text = Deno.readLinkSync(path);
    if (!text.startsWith("/") && !staysInside(text, depth)) throw new WasiError(wasi.ERRNO_PERM);
  }
}

/** In how many folders of its mount a place lies. */
function depthOf(place: Place): number {
  return place.hostPath!.slice(place.mount!.hostPath.length + 1).split("/").length - 1;
}

/** `..` may only stand in front: behind a name that is a link itself it would lead anywhere. */
function staysInside(text: string, depth: number): boolean {
  const names = text.split("/").filter((name) => name !== "" && name !== ".");
  const rest = names.findIndex((name) => name !== "..");
  const ups = rest < 0 ? names.length : rest;
  return ups <= depth && !names.slice(ups).includes("..");
}
