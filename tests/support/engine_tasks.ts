/** Tasks for engines in a folder of their own, gone when the test is. */
import type { EngineRun, EngineTask, Mount } from "../../agent/engines/engine.ts";

/** What an engine is asked for by `list`. */
export function runsOf(...tasks: readonly EngineTask[]): ReadonlyMap<string, EngineRun> {
  return new Map(tasks.map(({ executionId, folder, run }) => [executionId, { folder, run }]));
}

/** A folder with tasks below it. */
export class TaskFolder implements AsyncDisposable {
  #count = 0;

  private constructor(readonly path: string) {}

  static async make(): Promise<TaskFolder> {
    return new TaskFolder(await Deno.realPath(await Deno.makeTempDir({ prefix: "skerry-engine-" })));
  }

  /** Writes a file and returns its path. */
  async file(name: string, content: Uint8Array | string): Promise<string> {
    const path = `${this.path}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") await Deno.writeTextFile(path, content);
    else await Deno.writeFile(path, content);
    return path;
  }

  /** A task with the module at `/main.wasm` and a result folder at `/outputs`. */
  async task(module: Uint8Array | string, changes: Partial<EngineTask> = {}): Promise<EngineTask> {
    const executionId = changes.executionId ?? `e-${++this.#count}`;
    const folder = `${this.path}/${executionId}`;
    await Deno.mkdir(`${folder}/outputs`, { recursive: true });
    const hostPath = typeof module === "string" ? module : await this.file(`${executionId}.wasm`, module);
    const entry: Mount = { hostPath, target: "/main.wasm", isReadOnly: true };
    return {
      executionId,
      run: 0,
      folder,
      params: { EntryModule: "/main.wasm", ...changes.params },
      env: {},
      results: [{ hostPath: `${folder}/outputs`, target: "/outputs", isReadOnly: false }],
      network: { type: "default", domains: [] },
      memoryBytes: 64 * 1024 * 1024,
      cpuMillis: 100,
      diskBytes: 1024 * 1024,
      logBytes: 1024 * 1024,
      ...without(changes, "params", "inputs"),
      inputs: [entry, ...changes.inputs ?? []],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

function without<T extends object, K extends keyof T>(value: T, ...keys: K[]): Omit<T, K> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key as K))) as Omit<T, K>;
}
