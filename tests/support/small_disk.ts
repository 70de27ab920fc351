/** A disk that a test can fill: a file system in memory of a given size. Mounting takes root on Linux. */

import { freeBytes } from "../../shared/disk.ts";

/** A mounted disk, gone when the test is. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Fills it until so many bytes are free, or none; answers the file that does. Removing it frees the space again. */
  fill(leftBytes?: number): string;
  remount(options: string): Promise<void>;
}

/** Undefined where nothing can be mounted: the reason is said, and in CI that is an error. */
export async function mountSmallDisk(
  testName: string,
  options: { sizeBytes: number },
): Promise<SmallDisk | undefined> {
  const path = await Deno.makeTempDir({ prefix: "skerry-disk-" });
  const mounted = await mount(["-t", "tmpfs", "-o", `size=${options.sizeBytes}`, "tmpfs", path]);
  if (mounted !== undefined) {
    await Deno.remove(path);
    const why = `"${testName}" needs a small disk: ${mounted}`;
    if (!["", "0", "false"].includes(Deno.env.get("CI") ?? "")) throw new Error(why);
    console.warn(`skipped: ${why}`);
    return undefined;
  }
  return {
    path,
    fill(leftBytes = 0) {
      const file = `${path}/fill-${crypto.randomUUID().slice(0, 8)}`;
      using opened = Deno.openSync(file, { create: true, write: true });
      for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 2)) {
        while (freeBytes(path) >= leftBytes + size && writes(opened, size));
      }
      return file;
    },
    async remount(flags) {
      const complaint = await mount(["-o", `remount,${flags}`, path]);
      if (complaint !== undefined) throw new Error(`Cannot remount "${path}": ${complaint}`);
    },
    async [Symbol.asyncDispose]() {
      // Processes that are about to end may still look at it.
      await new Deno.Command("umount", { args: ["-l", path] }).output();
      await Deno.remove(path);
    },
  };
}

function writes(file: Deno.FsFile, sizeBytes: number): boolean {
  try {
    return file.writeSync(new Uint8Array(sizeBytes)) === sizeBytes;
  } catch {
    return false; // no space is left
  }
}

/** The complaint, or undefined. */
async function mount(args: string[]): Promise<string | undefined> {
  try {
    const { success, stderr } = await new Deno.Command("mount", { args }).output();
    return success ? undefined : new TextDecoder().decode(stderr).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "there is no mount here";
    throw error;
  }
}
