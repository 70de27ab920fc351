import { deepStrictEqual as assertEquals, ok as assert } from "node:assert";
import { type Fd, wasi } from "@bjorn3/browser_wasi_shim";
import { waitUntil } from "../../tests/support/wait_until.ts";
import type { Mount } from "./engine.ts";
import { WasiFiles } from "./wasi_files.ts";
import { folderOf, openRoot } from "./wasi_folder.ts";
import { DiskQuota } from "./wasi_quota.ts";
import { WasiTree } from "./wasi_tree.ts";

const READ = BigInt(wasi.RIGHTS_FD_READ);
const WRITE = BigInt(wasi.RIGHTS_FD_WRITE);

/** A folder of the host with `in` (read-only), `out` (writable) and `secret` beside them, and a module's view of it. */
class World implements Disposable {
  readonly path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "skerry-wasi-" }));
  readonly quota: DiskQuota;
  readonly files: WasiFiles;
  readonly root: Fd;

  constructor(options: { diskBytes?: number; mounts?: (path: string) => Mount[] } = {}) {
    for (const name of ["in/sub", "out", "secret"]) {
      Deno.mkdirSync(`${this.path}/${name}`, { recursive: true });
    }
    Deno.writeTextFileSync(`${this.path}/in/file`, "input");
    Deno.writeTextFileSync(`${this.path}/secret/file`, "secret");
    this.quota = new DiskQuota(options.diskBytes ?? 1_000_000);
    const mounts = [
      { hostPath: `${this.path}/in`, target: "/inputs", isReadOnly: true },
      { hostPath: `${this.path}/out`, target: "/deep/outputs", isReadOnly: false },
      ...options.mounts?.(this.path) ?? [],
    ];
    this.files = new WasiFiles(new WasiTree(mounts), {
      quota: this.quota,
      results: mounts.slice(1, 2),
    });
    this.root = openRoot(this.files);
  }

  open(
    path: string,
    how: { oflags?: number; rights?: bigint; flags?: number; from?: Fd; follow?: boolean } = {},
  ): Fd {
    const { oflags = 0, rights = READ, flags = 0, from = this.root, follow = true } = how;
    const { ret, fd_obj } = from.path_open(follow ? 1 : 0, path, oflags, rights, 0n, flags);
    if (fd_obj === null) throw new Errno(ret);
    return fd_obj;
  }

  read(path: string, from?: Fd): string {
    const fd = this.open(path, from === undefined ? {} : { from });
    const { ret, data } = fd.fd_read(1000);
    fd.fd_close();
    if (ret !== 0) throw new Errno(ret);
    return new TextDecoder().decode(data);
  }

  write(path: string, text: string, oflags: number = wasi.OFLAGS_CREAT | wasi.OFLAGS_TRUNC): void {
    const fd = this.open(path, { oflags, rights: READ | WRITE });
    const { ret } = fd.fd_write(new TextEncoder().encode(text));
    fd.fd_close();
    if (ret !== 0) throw new Errno(ret);
  }

  list(path: string): string[] {
    const fd = this.open(path);
    const names: string[] = [];
    for (let cookie = 0n;; cookie++) {
      const { dirent } = fd.fd_readdir_single(cookie);
      if (dirent === null) return names.sort();
      names.push(new TextDecoder().decode(dirent.dir_name));
    }
  }

  [Symbol.dispose](): void {
    this.files.closeAll();
    Deno.removeSync(this.path, { recursive: true });
  }
}

class Errno extends Error {
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

function errnoOf(call: () => unknown): number {
  try {
    const result = call();
    return typeof result === "number" ? result : 0;
  } catch (error) {
    if (error instanceof Errno) return error.errno;
    throw error;
  }
}

Deno.test("a module sees its mounts and the folders that lead to them, and nothing else", () => {
  using world = new World();
  assertEquals(world.list("."), [".", "..", "deep", "inputs"]);
  assertEquals(world.list("deep"), [".", "..", "outputs"]);
  assertEquals(world.list("inputs"), [".", "..", "file", "sub"]);
  assertEquals(world.read("inputs/file"), "input");
  assertEquals(world.read("inputs/../deep/../inputs/./file"), "input");
  assertEquals(errnoOf(() => world.open("etc")), wasi.ERRNO_NOENT);
  assertEquals(errnoOf(() => world.open("deep/secret")), wasi.ERRNO_NOENT);
});

Deno.test("paths with .. or a leading slash do not lead out", () => {
  using world = new World();
  for (
    const path of ["..", "../secret/file", "inputs/../../secret/file", "deep/outputs/../../../etc/passwd"]
  ) {
    assertEquals(errnoOf(() => world.open(path)), wasi.ERRNO_NOTCAPABLE, path);
  }
  assertEquals(errnoOf(() => world.open("inputs/../secret/file")), wasi.ERRNO_NOENT);
  assertEquals(errnoOf(() => world.open(`${world.path}/secret/file`)), wasi.ERRNO_NOENT);
  const folder = world.open("inputs");
  assertEquals(errnoOf(() => world.open("/secret", { from: folder })), wasi.ERRNO_NOTCAPABLE);
  assertEquals(errnoOf(() => world.open("a\0b")), wasi.ERRNO_INVAL);
  assertEquals(errnoOf(() => world.open("")), wasi.ERRNO_NOENT);
});

Deno.test("links of the host that lead out are refused, those that stay within are followed", () => {
  using world = new World();
  Deno.symlinkSync(`${world.path}/secret/file`, `${world.path}/in/absolute`);
  Deno.symlinkSync("../secret/file", `${world.path}/in/relative`);
  Deno.symlinkSync("../secret", `${world.path}/in/folder`);
  Deno.symlinkSync("/etc", `${world.path}/out/etc`);
  Deno.symlinkSync("loop", `${world.path}/in/loop`);
  Deno.symlinkSync("../file", `${world.path}/in/sub/inner`);
  Deno.symlinkSync(`${world.path}/in/file`, `${world.path}/in/own`);
  assertEquals(errnoOf(() => world.open("inputs/absolute")), wasi.ERRNO_NOTCAPABLE);
  assertEquals(errnoOf(() => world.open("inputs/relative")), wasi.ERRNO_NOENT);
  assertEquals(errnoOf(() => world.open("inputs/folder/file")), wasi.ERRNO_NOENT);
  assertEquals(errnoOf(() => world.open("deep/outputs/etc/passwd")), wasi.ERRNO_NOTCAPABLE);
  assertEquals(errnoOf(() => world.open("inputs/loop")), wasi.ERRNO_LOOP);
  assertEquals(world.read("inputs/sub/inner"), "input");
  assertEquals(world.read("inputs/own"), "input");
  assertEquals(errnoOf(() => world.open("inputs/own", { follow: false })), wasi.ERRNO_LOOP);
});

Deno.test("a module makes no link that leads out, neither at once nor by renaming", () => {
  using world = new World();
  const root = folderOf(world.root);
  for (const text of ["/etc", "..", "../x", "a/../../x", "", "/"]) {
    assertEquals(root.symlink(text, "deep/outputs/link"), wasi.ERRNO_PERM, text);
  }
  assertEquals(root.symlink("x", "inputs/link"), wasi.ERRNO_ROFS);
  assertEquals(root.path_create_directory("deep/outputs/a"), 0);
  assertEquals(root.symlink("../x", "deep/outputs/a/link"), 0);
  assertEquals(root.rename("deep/outputs/a/link", world.root, "deep/outputs/link"), wasi.ERRNO_PERM);
  world.write("deep/outputs/x", "mine");
  assertEquals(world.read("deep/outputs/a/link"), "mine");
});

Deno.test("a folder with a link that would lead out is not moved up", () => {
  using world = new World();
  const root = folderOf(world.root);
  Deno.mkdirSync(`${world.path}/out/a/b/c`, { recursive: true });
  assertEquals(root.symlink("../../../inputs", "deep/outputs/a/b/link"), wasi.ERRNO_PERM);
  assertEquals(root.symlink("../../secret", "deep/outputs/a/b/link"), 0);
  assertEquals(root.symlink("../../../x", "deep/outputs/a/b/c/link"), 0);
  assertEquals(root.rename("deep/outputs/a/b", world.root, "deep/outputs/b"), wasi.ERRNO_PERM);
  assertEquals(root.path_unlink_file("deep/outputs/a/b/link"), 0);
  assertEquals(root.rename("deep/outputs/a/b", world.root, "deep/outputs/b"), wasi.ERRNO_PERM);
  assertEquals(root.path_create_directory("deep/outputs/d"), 0);
  assertEquals(root.rename("deep/outputs/a/b", world.root, "deep/outputs/d/b"), 0);
  assertEquals(Deno.readLinkSync(`${world.path}/out/d/b/c/link`), "../../../x");
});

Deno.test("a link does not lead out by way of another one", () => {
  using world = new World();
  const root = folderOf(world.root);
  Deno.mkdirSync(`${world.path}/out/a/b`, { recursive: true });
  assertEquals(root.symlink("../..", "deep/outputs/a/b/top"), 0);
  assertEquals(root.symlink("top/../secret", "deep/outputs/a/b/link"), wasi.ERRNO_PERM);
});

Deno.test("a folder of a shared mount that becomes a link while a path in it is looked at is not gone through", () => {
  const shared = (path: string) => {
    Deno.mkdirSync(`${path}/data/d`, { recursive: true });
    return [{ hostPath: `${path}/data`, target: "/data", isReadOnly: false }];
  };
  const changes: Record<string, (world: World) => unknown> = {
    mkdir: ({ root }) => root.path_create_directory("data/d/new"),
    create: (world) => world.open("data/d/new", { oflags: wasi.OFLAGS_CREAT, rights: WRITE }),
    unlink: ({ root }) => root.path_unlink_file("data/d/file"),
    rmdir: ({ root }) => root.path_remove_directory("data/d/sub"),
    rename: ({ root }) => folderOf(root).rename("data/d/file", root, "data/d/new"),
    link: ({ root }) => folderOf(root).link("data/d/file", false, root, "data/d/new"),
    times: ({ root }) => root.path_filestat_set_times(0, "data/d/file", 0n, 0n, 5),
  };
  for (const [name, change] of Object.entries(changes)) {
    using world = new World({ mounts: shared });
    for (const folder of ["secret", "data/d"]) {
      Deno.writeTextFileSync(`${world.path}/${folder}/file`, "x");
      Deno.mkdirSync(`${world.path}/${folder}/sub`);
    }
    const before = [...Deno.readDirSync(`${world.path}/secret`)].map((entry) => entry.name).sort();
    const { lstatSync } = Deno;
    const last = name === "rename" || name === "link" ? "new" : undefined;
    Deno.lstatSync = (path) => {
      const swap = () => {
        Deno.lstatSync = lstatSync;
        Deno.renameSync(`${world.path}/data/d`, `${world.path}/data/d2`);
        Deno.symlinkSync(`${world.path}/secret`, `${world.path}/data/d`);
      };
      const isLast = last === undefined ? /\/d\/\w+$/ : new RegExp(`/d/${last}$`);
      try {
        return lstatSync(path);
      } finally {
        if (isLast.test(String(path))) swap();
      }
    };
    try {
      assertEquals(errnoOf(() => change(world)), wasi.ERRNO_NOENT, name);
    } finally {
      Deno.lstatSync = lstatSync;
    }
    const after = [...Deno.readDirSync(`${world.path}/secret`)].map((entry) => entry.name).sort();
    assertEquals(after, before, name);
  }
});

Deno.test("an open folder that was swapped for a link does not lead out", () => {
  using world = new World();
  Deno.mkdirSync(`${world.path}/out/a`);
  Deno.writeTextFileSync(`${world.path}/out/a/file`, "mine");
  const folder = world.open("deep/outputs/a");
  assertEquals(world.read("file", folder), "mine");
  Deno.renameSync(`${world.path}/out/a`, `${world.path}/out/b`);
  Deno.symlinkSync(`${world.path}/secret`, `${world.path}/out/a`);
  assertEquals(errnoOf(() => world.read("file", folder)), wasi.ERRNO_NOTCAPABLE);
  assertEquals(
    errnoOf(() => world.open("new", { from: folder, oflags: wasi.OFLAGS_CREAT, rights: WRITE })),
    wasi.ERRNO_NOTCAPABLE,
  );
  assertEquals([...Deno.readDirSync(`${world.path}/secret`)].length, 1);
});

const SWAPPING = `self.onmessage = ({ data: { folder, state } }) => {
  const flag = new Int32Array(state);
  while (Atomics.load(flag, 0) < 2) {
    for (const name of ["/real", "/bait"]) {
      Deno.renameSync(folder + name, folder + "/d");
      Deno.renameSync(folder + "/d", folder + name);
    }
    Atomics.compareExchange(flag, 0, 0, 1);
  }
  self.postMessage("ended");
}`;

Deno.test("a folder of the inputs that somebody swaps for a link again and again shows no secret", async () => {
  using world = new World();
  const folder = `${world.path}/in`;
  Deno.mkdirSync(`${folder}/real`);
  Deno.writeTextFileSync(`${folder}/real/file`, "mine");
  Deno.symlinkSync(`${world.path}/secret`, `${folder}/bait`);
  const swapping = new Worker(`data:application/javascript,${encodeURIComponent(SWAPPING)}`, {
    type: "module",
  });
  const ended = new Promise((resolve) => swapping.onmessage = resolve);
  const flag = new Int32Array(new SharedArrayBuffer(4));
  swapping.postMessage({ folder, state: flag.buffer });
  await waitUntil("swapping has begun", () => Atomics.load(flag, 0) === 1);
  const seen = new Set<string>();
  for (let i = 0; i < 20_000; i++) {
    try {
      seen.add(world.read("inputs/d/file"));
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      seen.add("refused");
    }
  }
  Atomics.store(flag, 0, 2);
  await ended;
  swapping.terminate();
  assert(seen.has("refused") && !seen.has("secret"), [...seen].join());
});

Deno.test("hard links cannot be used to write what is read-only", () => {
  using world = new World();
  const root = folderOf(world.root);
  assertEquals(root.link("inputs/file", true, world.root, "deep/outputs/file"), wasi.ERRNO_XDEV);
  assertEquals(root.link("deep/outputs", true, world.root, "deep/outputs/x"), wasi.ERRNO_PERM);
  world.write("deep/outputs/a", "text");
  assertEquals(root.link("deep/outputs/a", true, world.root, "deep/outputs/b"), 0);
  assertEquals(root.link("deep/outputs/a", true, world.root, "inputs/b"), wasi.ERRNO_ROFS);
  assertEquals(world.read("deep/outputs/b"), "text");
});

Deno.test("nothing changes a read-only mount", () => {
  using world = new World();
  const root = folderOf(world.root);
  const refused = {
    create: () => world.open("inputs/new", { oflags: wasi.OFLAGS_CREAT, rights: WRITE }),
    createReading: () => world.open("inputs/new", { oflags: wasi.OFLAGS_CREAT }),
    truncate: () => world.open("inputs/file", { oflags: wasi.OFLAGS_TRUNC }),
    write: () => world.open("inputs/file", { rights: READ | WRITE }),
    mkdir: () => root.path_create_directory("inputs/new"),
    unlink: () => root.path_unlink_file("inputs/file"),
    rmdir: () => root.path_remove_directory("inputs/sub"),
    renameOut: () => root.rename("inputs/file", world.root, "deep/outputs/file"),
    symlink: () => root.symlink("file", "inputs/link"),
    times: () => root.path_filestat_set_times(1, "inputs/file", 0n, 0n, wasi.FSTFLAGS_MTIM),
  };
  for (const [name, call] of Object.entries(refused)) assertEquals(errnoOf(call), wasi.ERRNO_ROFS, name);
  const open = world.open("inputs/file");
  assertEquals(open.fd_write(new Uint8Array(1)).ret, wasi.ERRNO_ROFS);
  assertEquals(open.fd_filestat_set_size(0n), wasi.ERRNO_ROFS);
  assertEquals(open.fd_filestat_set_times(0n, 0n, wasi.FSTFLAGS_MTIM), wasi.ERRNO_ROFS);
  assertEquals(world.read("inputs/file"), "input");
});

Deno.test("the tree's own folders and the mount points stay as they are", () => {
  using world = new World();
  const root = folderOf(world.root);
  assertEquals(root.path_create_directory("new"), wasi.ERRNO_ROFS);
  assertEquals(
    errnoOf(() => world.open("deep/new", { oflags: wasi.OFLAGS_CREAT, rights: WRITE })),
    wasi.ERRNO_ROFS,
  );
  assertEquals(root.path_remove_directory("deep/outputs"), wasi.ERRNO_BUSY);
  assertEquals(root.path_remove_directory("deep"), wasi.ERRNO_ROFS);
  assertEquals(root.rename("deep/outputs", world.root, "deep/o"), wasi.ERRNO_BUSY);
});

Deno.test("a pipe or device among the inputs is not opened", async () => {
  using world = new World();
  await new Deno.Command("mkfifo", { args: [`${world.path}/in/pipe`] }).output();
  assertEquals(errnoOf(() => world.open("inputs/pipe")), wasi.ERRNO_ACCES);
});

Deno.test("a file can be a mount, and mounts can lie within mounts", () => {
  using world = new World({
    mounts: (path) => [
      { hostPath: `${path}/secret/file`, target: "/inputs/one", isReadOnly: false },
      { hostPath: `${path}/secret`, target: "/inputs/sub/x/y", isReadOnly: true },
    ],
  });
  assertEquals(world.read("inputs/one"), "secret");
  assertEquals(world.read("inputs/sub/x/y/file"), "secret");
  assertEquals(world.list("inputs"), [".", "..", "file", "one", "sub"]);
  assertEquals(world.list("inputs/sub"), [".", "..", "x"]);
  world.write("inputs/one", "changed");
  assertEquals(Deno.readTextFileSync(`${world.path}/secret/file`), "changed");
  assertEquals(folderOf(world.root).path_unlink_file("inputs/one"), wasi.ERRNO_BUSY);
});

Deno.test("files are written, read, moved and removed", () => {
  using world = new World();
  const root = folderOf(world.root);
  assertEquals(root.path_create_directory("deep/outputs/a/"), 0);
  world.write("deep/outputs/a/x", "one");
  world.write("deep/outputs/a/y", "two");
  assertEquals(
    errnoOf(() =>
      world.open("deep/outputs/a/x", { oflags: wasi.OFLAGS_CREAT | wasi.OFLAGS_EXCL, rights: WRITE })
    ),
    wasi.ERRNO_EXIST,
  );
  assertEquals(root.rename("deep/outputs/a/x", world.root, "deep/outputs/a/y"), 0);
  assertEquals(world.read("deep/outputs/a/y"), "one");
  assertEquals(root.path_remove_directory("deep/outputs/a"), wasi.ERRNO_NOTEMPTY);
  assertEquals(root.path_unlink_file("deep/outputs/a"), wasi.ERRNO_ISDIR);
  assertEquals(root.path_unlink_file("deep/outputs/a/y"), 0);
  assertEquals(root.path_unlink_file("deep/outputs/a/y"), wasi.ERRNO_NOENT);
  assertEquals(root.path_remove_directory("deep/outputs/a/"), 0);
  assertEquals(world.quota.usedBytes, 0);
});

Deno.test("the quota counts sizes: appending, holes, truncating, replacing, removing", () => {
  using world = new World({ diskBytes: 1000 });
  const root = folderOf(world.root);
  const fd = world.open("deep/outputs/a", { oflags: wasi.OFLAGS_CREAT, rights: READ | WRITE });
  assertEquals(fd.fd_write(new Uint8Array(300)), { ret: 0, nwritten: 300, end: 300 });
  fd.fd_seek(800n, wasi.WHENCE_SET);
  assertEquals(fd.fd_write(new Uint8Array(100)).ret, 0);
  assertEquals(world.quota.usedBytes, 900);
  assertEquals(fd.fd_write(new Uint8Array(200)).nwritten, 100);
  assertEquals(fd.fd_write(new Uint8Array(1)).ret, wasi.ERRNO_NOSPC);
  assert(world.quota.isExceeded);
  assertEquals(fd.fd_pwrite(new Uint8Array(500), 0n).nwritten, 500);
  assertEquals(fd.fd_pwrite(new Uint8Array(5), 10_000_000_000n).ret, wasi.ERRNO_NOSPC);
  assertEquals(fd.fd_filestat_set_size(1001n), wasi.ERRNO_NOSPC);
  assertEquals(fd.fd_allocate(0n, 1001n), wasi.ERRNO_NOSPC);
  assertEquals(fd.fd_filestat_set_size(10n), 0);
  assertEquals(world.quota.usedBytes, 10);
  world.write("deep/outputs/b", "x".repeat(500));
  assertEquals(root.rename("deep/outputs/b", world.root, "deep/outputs/a"), 0);
  // The replaced file is open still, and counts until it is closed.
  assertEquals(world.quota.usedBytes, 510);
  fd.fd_close();
  assertEquals(world.quota.usedBytes, 500);
  assertEquals(root.path_unlink_file("deep/outputs/a"), 0);
  assertEquals(world.quota.usedBytes, 0);
});

Deno.test("two descriptors of one file count it once", () => {
  using world = new World({ diskBytes: 1000 });
  const how = { oflags: wasi.OFLAGS_CREAT, rights: WRITE, flags: wasi.FDFLAGS_APPEND };
  const [a, b] = [world.open("deep/outputs/a", how), world.open("deep/outputs/a", how)];
  for (let i = 0; i < 10; i++) {
    assertEquals((i % 2 === 0 ? a : b).fd_write(new Uint8Array(100)).nwritten, 100);
  }
  assertEquals(b.fd_write(new Uint8Array(1)).ret, wasi.ERRNO_NOSPC);
  assertEquals(Deno.statSync(`${world.path}/out/a`).size, 1000);
});
