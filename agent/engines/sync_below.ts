/** Results on disk: what a power cut must not take once their execution's end is recorded. */

/** Syncs a file, or a folder with all files and folders below it; links are not followed. */
export function syncBelow(hostPath: string): void {
  const info = Deno.lstatSync(hostPath);
  if (!info.isFile && !info.isDirectory) return;
  if (info.isDirectory) {
    for (const entry of Deno.readDirSync(hostPath)) syncBelow(`${hostPath}/${entry.name}`);
  }
  using file = Deno.openSync(hostPath);
  file.syncSync();
}
