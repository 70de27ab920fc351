/**
 * The one tree of files that a module sees, rooted at `/`: the mounted folders and files of the host at their targets,
 * the folders that lead to them (which cannot be written), and nothing else.
 *
 * The host is never asked to follow a link. Each component of a path is looked at by itself, and a link's text is read
 * as a path of this tree: so nothing that a module, or somebody who prepared its inputs, puts into a folder leads out.
 * A folder's descriptor stands for its path in the tree and is walked again each time, so that swapping a folder for a
 * link after it was opened does not help either. A module has one thread; against others who swap files on the host
 * meanwhile, what was opened is compared afterwards with what was looked at.
 */
import { wasi } from "@bjorn3/browser_wasi_shim";
import type { Mount } from "./engine.ts";
import { WasiError } from "./wasi_errno.ts";
import { LINKS_FOLLOWED_MAX } from "./wasm_limits.ts";

/** A mount, and its path on the host free of links, found out when it is asked for. */
export class TreeMount implements Mount {
  readonly hostPath: string;
  readonly target: string;
  readonly isReadOnly: boolean;
  #realPath: string | undefined;

  constructor({ hostPath, target, isReadOnly }: Mount) {
    this.hostPath = hostPath;
    this.target = target;
    this.isReadOnly = isReadOnly;
  }

  get realPath(): string {
    return this.#realPath ??= Deno.realPathSync(this.hostPath);
  }

  /** The free form of a path below `hostPath` whose further components are no links. */
  realPathOf(hostPath: string): string {
    return this.realPath + hostPath.slice(this.hostPath.length);
  }
}

/** Folders of the tree that are mount points or lead to some. */
interface TreeNode {
  readonly children: Map<string, TreeNode>;
  mount?: TreeMount;
}

/** Where a path leads. */
export interface Place {
  /** Components from the tree's root, free of links, `.` and `..`. */
  readonly names: readonly string[];
  /** Path on the host; none for a folder that only leads to mounts. */
  readonly hostPath?: string;
  readonly mount?: TreeMount;
  /** Without it, nothing is there yet: only the last component may be missing. */
  readonly info?: Deno.FileInfo;
  /** The place is a mount point or leads to one: it cannot be removed or renamed. */
  readonly isPinned: boolean;
  readonly isFolder: boolean;
  readonly isLink: boolean;
}

/** An entry of a folder. */
export interface TreeEntry {
  readonly name: string;
  readonly filetype: number;
}

interface Level extends Place {
  readonly node?: TreeNode;
  /** How many components the mount's own root has. */
  readonly mountDepth: number;
}

/** Resolves paths. */
export class WasiTree {
  readonly #root: TreeNode = { children: new Map() };

  /** Later mounts hide earlier ones with the same target. Throws `WasiError` for a target with `..`. */
  constructor(mounts: readonly Mount[]) {
    for (const mount of mounts) {
      let node = this.#root;
      for (const name of splitTarget(mount.target)) {
        let child = node.children.get(name);
        if (child === undefined) node.children.set(name, child = { children: new Map() });
        node = child;
      }
      node.mount = new TreeMount(mount);
    }
  }

  /** The file of the host behind a path of the tree, all links followed; undefined when there is none. */
  find(path: string): Place | undefined {
    try {
      const place = this.resolve([], path, { isLinkFollowed: true });
      return place.info === undefined && !place.isFolder ? undefined : place;
    } catch (error) {
      if (error instanceof WasiError) return undefined;
      throw error;
    }
  }

  /**
   * Walks from the folder `base` along `path`. `isLinkFollowed` tells whether a link in last place is followed.
   *
   * Throws `WasiError`: ENOENT (a folder on the way is missing), ENOTDIR, ELOOP, ENOTCAPABLE (leads out), EINVAL.
   */
  resolve(base: readonly string[], path: string, options: { isLinkFollowed: boolean }): Place {
    if (path.length === 0) throw new WasiError(wasi.ERRNO_NOENT);
    if (path.includes("\0")) throw new WasiError(wasi.ERRNO_INVAL);
    if (path.startsWith("/") && base.length > 0) throw new WasiError(wasi.ERRNO_NOTCAPABLE);
    const pending = path.split("/").reverse();
    for (let i = base.length - 1; i >= 0; i--) pending.push(base[i]!);
    const stack: Level[] = [this.#top()];
    let links = 0;
    let name: string | undefined;
    while ((name = pending.pop()) !== undefined) {
      const top = stack[stack.length - 1]!;
      if (!top.isFolder) throw new WasiError(top.info === undefined ? wasi.ERRNO_NOENT : wasi.ERRNO_NOTDIR);
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (stack.length === 1) throw new WasiError(wasi.ERRNO_NOTCAPABLE);
        stack.pop();
        continue;
      }
      const next = step(top, name);
      if (next.isLink && (options.isLinkFollowed || pending.length > 0)) {
        if (++links > LINKS_FOLLOWED_MAX) throw new WasiError(wasi.ERRNO_LOOP);
        const text = withinMount(next, readLink(next), stack);
        for (const part of text.split("/").reverse()) pending.push(part);
      } else stack.push(next);
    }
    return stack[stack.length - 1]!;
  }

  /** What a folder holds, mount points included, by name in the host's order. */
  list(place: Place): TreeEntry[] {
    const level = place as Level;
    const entries: TreeEntry[] = [];
    for (const [name, node] of level.node?.children ?? []) {
      const child = step(level, name);
      if (node.mount === undefined || child.info !== undefined) {
        entries.push({ name, filetype: filetypeOf(child) });
      }
    }
    if (level.hostPath !== undefined) {
      for (const entry of Deno.readDirSync(level.hostPath)) {
        if (level.node?.children.has(entry.name)) continue;
        entries.push({
          name: entry.name,
          filetype: filetypeOf({ isFolder: entry.isDirectory, isLink: entry.isSymlink, info: entry }),
        });
      }
    }
    return entries;
  }

  #top(): Level {
    return levelOf({ names: [], node: this.#root, parent: undefined });
  }
}

/** Type of what is at a place, as WASI counts them. */
export function filetypeOf(
  place: { isFolder: boolean; isLink: boolean; info?: { isFile: boolean } },
): number {
  if (place.isFolder) return wasi.FILETYPE_DIRECTORY;
  if (place.isLink) return wasi.FILETYPE_SYMBOLIC_LINK;
  return place.info?.isFile ? wasi.FILETYPE_REGULAR_FILE : wasi.FILETYPE_UNKNOWN;
}

function splitTarget(target: string): string[] {
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) throw new WasiError(wasi.ERRNO_NOTCAPABLE);
  return names;
}

function step(top: Level, name: string): Level {
  return levelOf({ names: [...top.names, name], node: top.node?.children.get(name), parent: top });
}

function levelOf(
  from: { names: readonly string[]; node: TreeNode | undefined; parent: Level | undefined },
): Level {
  const { names, node, parent } = from;
  if (node?.mount !== undefined) {
    const info = lookAt(node.mount.hostPath, Deno.statSync);
    return {
      names,
      node,
      mount: node.mount,
      mountDepth: names.length,
      hostPath: node.mount.hostPath,
      info,
      isPinned: true,
      isFolder: info?.isDirectory ?? false,
      isLink: false,
    };
  }
  const hostPath = parent?.hostPath === undefined
    ? undefined
    : `${parent.hostPath}/${names[names.length - 1]}`;
  const info = hostPath === undefined ? undefined : lookAt(hostPath);
  if (node !== undefined) {
    const isReal = info?.isDirectory ?? false;
    return {
      names,
      node,
      mountDepth: parent?.mountDepth ?? 0,
      ...(isReal ? { hostPath, mount: parent?.mount, info } : {}),
      isPinned: true,
      isFolder: true,
      isLink: false,
    };
  }
  return {
    names,
    mountDepth: parent?.mountDepth ?? 0,
    hostPath,
    mount: parent?.mount,
    info,
    isPinned: false,
    isFolder: info?.isDirectory ?? false,
    isLink: info?.isSymlink ?? false,
  };
}

function lookAt(hostPath: string, look = Deno.lstatSync): Deno.FileInfo | undefined {
  try {
    return look(hostPath);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function readLink(link: Level): string {
  return Deno.readLinkSync(link.hostPath!);
}

/** A link's text as a path from where the link is. Absolute ones count only when they lead into their own mount. */
function withinMount(link: Level, text: string, stack: Level[]): string {
  if (!text.startsWith("/")) return text;
  for (const root of [link.mount!.realPath, link.mount!.hostPath]) {
    if (text !== root && !text.startsWith(`${root}/`)) continue;
    stack.length = link.mountDepth + 1;
    return text.slice(root.length);
  }
  throw new WasiError(wasi.ERRNO_NOTCAPABLE);
}
