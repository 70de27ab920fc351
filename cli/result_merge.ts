/**
 * Results of several partitions in one folder, without losing anything:
 *
 *     stdout, stderr        of all partitions, in their order
 *     exitCode              the first that is not 0, else 0
 *     NAME/…                result paths, files of all partitions together
 *     partition-N/…         each partition's own stdout, stderr and exitCode
 *     partition-N/NAME/…    a result path in which partitions wrote files of the same name: then each keeps its own
 *
 * A job of one partition: its files as they are.
 */
import { join } from "node:path";

/** A partition's unpacked results. */
export interface PartitionFolder {
  readonly partition: number;
  readonly folder: string;
}

/** What came of putting results together. */
export interface Merged {
  /** Result paths that could not be put together. */
  readonly kept: readonly string[];
}

const STREAMS = ["stdout", "stderr"];
const OWN = new Set([...STREAMS, "exitCode"]);

/** Moves everything into `folder`, which must be empty. `count`: how many partitions the job has. */
export async function mergeResults(
  partitions: readonly PartitionFolder[],
  { folder, count }: { folder: string; count: number },
): Promise<Merged> {
  await Deno.mkdir(folder, { recursive: true });
  const sorted = [...partitions].sort((a, b) => a.partition - b.partition);
  if (count === 1) {
    for (const { folder: from } of sorted) await moveInto(from, folder);
    return { kept: [] };
  }
  for (const { partition, folder: from } of sorted) await moveOwn(from, { folder, partition });
  const names = new Set((await Promise.all(sorted.map((it) => namesIn(it.folder)))).flat());
  const kept: string[] = [];
  for (const name of [...names].sort()) {
    const having = await withName(sorted, name);
    if (await haveCollision(having, name)) kept.push(name);
    for (const { partition, folder: from } of having) {
      const to = kept.includes(name) ? join(folder, `partition-${partition}`, name) : join(folder, name);
      await moveInto(join(from, name), to);
    }
  }
  return { kept };
}

/** What every partition has: kept apart, and put together beside. */
async function moveOwn(
  from: string,
  { folder, partition }: { folder: string; partition: number },
): Promise<void> {
  const own = join(folder, `partition-${partition}`);
  const names = (await namesIn(from)).filter((name) => OWN.has(name));
  if (names.length > 0) await Deno.mkdir(own, { recursive: true });
  for (const name of names) {
    if (STREAMS.includes(name)) await append(join(from, name), join(folder, name));
    else await keepFirstFailure(join(from, name), join(folder, name));
    await Deno.rename(join(from, name), join(own, name));
  }
}

async function append(from: string, to: string): Promise<void> {
  using target = await Deno.open(to, { create: true, append: true });
  const source = await Deno.open(from);
  await source.readable.pipeTo(target.writable, { preventClose: true });
}

async function keepFirstFailure(from: string, to: string): Promise<void> {
  const before = await Deno.readTextFile(to).catch(() => "");
  if (before === "" || Number(before.trim()) === 0) await Deno.copyFile(from, to);
}

async function withName(
  partitions: readonly PartitionFolder[],
  name: string,
): Promise<readonly PartitionFolder[]> {
  const found = await Promise.all(partitions.map(async (it) => (await namesIn(it.folder)).includes(name)));
  return partitions.filter((_, at) => found[at]);
}

async function haveCollision(partitions: readonly PartitionFolder[], name: string): Promise<boolean> {
  const [files, folders] = [new Set<string>(), new Set<string>()];
  for (const { folder } of partitions) {
    const entries = await list(join(folder, name));
    if (entries.some(({ path, isFile }) => files.has(path) || (isFile && folders.has(path)))) return true;
    for (const { path, isFile } of entries) (isFile ? files : folders).add(path);
  }
  return false;
}

interface Listed {
  /** Relative, empty for the thing itself. */
  readonly path: string;
  readonly isFile: boolean;
}

async function list(root: string, path = ""): Promise<readonly Listed[]> {
  const here = path === "" ? root : join(root, path);
  if ((await Deno.stat(here)).isFile) return [{ path, isFile: true }];
  const below = await Promise.all(
    (await namesIn(here)).map((name) => list(root, path === "" ? name : `${path}/${name}`)),
  );
  return [{ path, isFile: false }, ...below.flat()];
}

/** A file or a folder with what is in it; folders that are there already are filled. */
export async function moveInto(from: string, to: string): Promise<void> {
  const isFolder = (await Deno.stat(from)).isDirectory;
  const isThere = await Deno.stat(to).then(() => true, () => false);
  if (!isFolder || !isThere) {
    await Deno.mkdir(join(to, ".."), { recursive: true });
    return await Deno.rename(from, to);
  }
  for (const name of await namesIn(from)) await moveInto(join(from, name), join(to, name));
}

/** Sorted. */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}
