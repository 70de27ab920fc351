/** The other ports of a simulated machine: folders, contents, inputs, publishers. They take time and fail. */
import { AppError } from "../../shared/errors.ts";
import type { ContentStore, Machine, Workspace } from "../../agent/host/host.ts";
import type { Input } from "../../agent/inputs/input.ts";
import type { Publisher } from "../../agent/publishers/publisher.ts";
import type { Contents } from "../../orchestrator/store/contents.ts";
import type { Resources } from "../../shared/model/resources.ts";
import { Dice, seedOf } from "./dice.ts";
import type { Disk } from "./disk.ts";
import { type Life, never } from "./life.ts";

/** Resolves after a while of the life's time; an abort rejects at once. */
function takeMs(life: Life, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (life.isOver) return never();
  return new Promise((resolve, reject) => {
    const stop = () => reject(new AppError("interrupted", "Broken off"));
    if (signal?.aborted) return stop();
    life.after(delayMs, resolve);
    signal?.addEventListener("abort", () => life.do(stop), { once: true });
  });
}

/** Folders that exist in name only. */
export function simWorkspace(life: Life, disk: Disk): Workspace {
  const pathOf = (id: string) => `/sim/${id}`;
  return {
    create(id, names) {
      if (disk.isFull) throw new AppError("disk_full", "Cannot make a folder: the simulated disk is full");
      return { path: pathOf(id), resultPaths: names.map((name) => `${pathOf(id)}/${name}`) };
    },
    pathOf,
    remove: () => takeMs(life, 1),
    async sizeOf() {
      await takeMs(life, 1);
      return 1000;
    },
    clearResults: () => takeMs(life, 1),
    outputBytes: () => ({ stdout: 0, stderr: 0 }),
    readPreview: (_id, exitCode) => ({
      stdout: "",
      stdoutIsTruncated: false,
      stderr: "",
      stderrIsTruncated: false,
      exitCode,
    }),
    readOutput: () => Promise.resolve({ pieces: [], cursor: "", isComplete: true }),
    listResults: () => Promise.resolve([]),
    readResult: () => Promise.resolve({ bytes: new Uint8Array(), sizeBytes: 0 }),
  };
}

/** No content is ever here. */
export const simContentStore: ContentStore = {
  find: () => undefined,
  partialBytes: () => 0,
  append() {},
  finish: (digest) => digest,
  put: () => ({ digest: "", path: "" }),
  tree: (path) => path,
  sweep: () => ({ count: 0, bytes: 0 }),
  held: () => ({ count: 0, bytes: 0 }),
};

/** Contents of a home: in memory, like its databases. */
export function simContents(life: Life, kept: Map<string, Uint8Array>): Contents {
  return {
    async put(digest, bytes) {
      await takeMs(life, 1);
      kept.set(digest, bytes);
    },
    has: (digest) => Promise.resolve(kept.has(digest)),
    read: (digest, offset) => {
      const found = kept.get(digest);
      if (found === undefined) throw new AppError("not_found", `Cannot find content "${digest}"`);
      return Promise.resolve(found.subarray(offset));
    },
    async *list() {
      yield* [...kept.keys()];
    },
    async remove(digest) {
      await takeMs(life, 1);
      kept.delete(digest);
    },
  };
}

export function simMachine(disk: Disk, total: Resources): Machine {
  return {
    os: "linux",
    arch: "x86_64",
    hostname: "simulated",
    total,
    diskFreeBytes: () => disk.isFull || disk.isLow ? 0 : 2 ** 40,
    isPortFree: () => true,
    releaseReserve() {},
    keepReserve() {},
  };
}

/** `FailRatio` and `TakesMs` of the source's parameters say how it goes; drawn by the execution. */
export function simInput(life: Life): Input {
  return {
    types: ["inline"],
    probe: () => ({ isUsable: true, hereBytes: 0, fetchBytes: 0 }),
    async prepare({ source, target }, { folder, index, signal }) {
      const dice = new Dice(seedOf(`${folder}/${index}`));
      await takeMs(life, dice.fraction() * Number(source.params.TakesMs), signal);
      if (dice.chance(Number(source.params.FailRatio))) {
        throw new AppError("input_failed", "Cannot fetch the input: it is not there", {
          hint: "Look for it",
        });
      }
      return { hostPath: `${folder}/in${index}`, target, isReadOnly: true };
    },
  };
}

/** The same for a publisher; it is away for a while now and then. */
export function simPublisher(life: Life, dice: Dice): Publisher {
  return {
    type: "local",
    keepsResultsHere: true,
    async publish({ executionId, publisher, signal }) {
      await takeMs(life, dice.fraction() * Number(publisher.params.TakesMs), signal);
      if (dice.chance(0.05)) throw new AppError("unavailable", "Cannot publish: the other side is away");
      if (new Dice(seedOf(`publish ${executionId}`)).chance(Number(publisher.params.FailRatio))) {
        throw new AppError("publish_failed", "Cannot publish: refused", { hint: "Ask its owner" });
      }
      return { type: "local", params: { executionId } };
    },
  };
}
