/** Where results are put: complete, and never over something else unasked. */
import { dirname, join } from "node:path";
import { AppError } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";
import { reasonOf } from "./file_errors.ts";
import { namesIn } from "./result_merge.ts";
import type { JobView } from "./wire.ts";
import { short } from "./words.ts";

/** A folder for what is not complete yet, on the same disk: beside a new folder, inside an old one. */
export async function openWork(folder: string, job: JobView): Promise<string> {
  const isThere = await Deno.stat(folder).then(({ isDirectory }) => {
    if (isDirectory) return true;
    throw new AppError("in_use", `Cannot write results to ${quote(folder)}: it is a file`);
  }, () => false);
  const name = `.skerry-${short(job.id)}.partial`;
  const work = join(isThere ? folder : dirname(folder), name);
  try {
    await Deno.mkdir(work, { recursive: true });
    return work;
  } catch (cause) {
    throw new AppError("io", `Cannot write results to ${quote(folder)}: ${reasonOf(cause)}`, {
      hint: "Name another folder with --output-dir",
      cause,
    });
  }
}

/** Names that every fetch without a path writes. */
export const RESULT_NAMES = ["stdout", "stderr", "exitCode"];

/** Told before anything is downloaded, where that can be known. */
export async function refuseTaken(folder: string, names: readonly string[]): Promise<void> {
  const present = await namesIn(folder).catch((): string[] => []);
  const taken = names.filter((name) => present.includes(name));
  if (taken.length === 0) return;
  const are = taken.length === 1 ? "is" : "are";
  throw new AppError(
    "in_use",
    `Cannot write results to ${quote(folder)}: ${taken.join(", ")} ${are} there already`,
    {
      hint: "Name another folder with --output-dir, or replace what is there with --force",
    },
  );
}

/** A new folder appears at once, complete. In an old one nothing of the same name is touched unless forced. */
export async function putIntoPlace(
  merged: string,
  { folder, isForced }: { folder: string; isForced: boolean },
): Promise<void> {
  const present = await namesIn(folder).catch(() => undefined);
  if (!present) return await Deno.rename(merged, folder);
  const names = await namesIn(merged);
  const taken = names.filter((name) => present.includes(name));
  if (taken.length && !isForced) {
    throw new AppError(
      "in_use",
      `Cannot write results to ${quote(folder)}: ${taken.slice(0, 3).join(", ")} is there already`,
      {
        hint: "Name another folder with --output-dir, or replace what is there with --force",
      },
    );
  }
  for (const name of taken) await Deno.remove(join(folder, name), { recursive: true });
  for (const name of names) await Deno.rename(join(merged, name), join(folder, name));
}
