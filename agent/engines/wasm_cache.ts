/** Compiled modules of a child, so that running the same module again costs no reading and no compiling. */
import { createHash } from "node:crypto";
import { AppError } from "../../shared/errors.ts";
import { MODULE_BYTES_MAX, MODULE_CACHE_BYTES, MODULE_CACHE_COUNT } from "./wasm_limits.ts";
import { limitModule } from "./wasm_module.ts";

/** A module that is ready to be instantiated under a limit. */
export interface CompiledModule {
  readonly module: WebAssembly.Module;
  readonly initialPages: number;
  readonly pagesMax: number;
  readonly isLowered: boolean;
  /** Size of its file. */
  readonly sourceBytes: number;
}

/** Bounded by count and by the size of the modules' files; the least recently used one goes. */
export class ModuleCache {
  /** By content and limit; in order of use. */
  readonly #modules = new Map<string, CompiledModule>();
  /** Digest of a file that was read before, by device, inode, size and times. */
  readonly #digests = new Map<string, string>();
  #bytes = 0;

  /** Throws `module_invalid` or `memory_exceeded`. */
  load(hostPath: string, memoryBytes: number): CompiledModule {
    const info = Deno.statSync(hostPath);
    if (info.size > MODULE_BYTES_MAX) {
      throw new AppError(
        "module_invalid",
        `Cannot load module: it must have at most ${MODULE_BYTES_MAX} bytes, current size is ${info.size}`,
        { hint: "Give data as an input instead of building it into the module." },
      );
    }
    const identity = `${info.dev}:${info.ino}:${info.size}:${info.mtime?.getTime()}:${info.ctime?.getTime()}`;
    const known = this.#digests.get(identity);
    const found = known === undefined ? undefined : this.#touch(`${known}:${memoryBytes}`);
    if (found !== undefined) return found;
    const source = Deno.readFileSync(hostPath);
    const digest = createHash("sha256").update(source).digest("hex");
    this.#remember(identity, digest);
    return this.#touch(`${digest}:${memoryBytes}`) ??
      this.#add(`${digest}:${memoryBytes}`, compile(source, memoryBytes));
  }

  #touch(key: string): CompiledModule | undefined {
    const found = this.#modules.get(key);
    if (found === undefined) return undefined;
    this.#modules.delete(key);
    this.#modules.set(key, found);
    return found;
  }

  #add(key: string, compiled: CompiledModule): CompiledModule {
    this.#modules.set(key, compiled);
    this.#bytes += compiled.sourceBytes;
    for (const [oldest, module] of this.#modules) {
      if (this.#bytes <= MODULE_CACHE_BYTES && this.#modules.size <= MODULE_CACHE_COUNT) break;
      this.#modules.delete(oldest);
      this.#bytes -= module.sourceBytes;
    }
    return compiled;
  }

  #remember(identity: string, digest: string): void {
    this.#digests.set(identity, digest);
    for (const oldest of this.#digests.keys()) {
      if (this.#digests.size <= MODULE_CACHE_COUNT * 4) break;
      this.#digests.delete(oldest);
    }
  }
}

function compile(source: Uint8Array, memoryBytes: number): CompiledModule {
  const limited = limitModule(source, memoryBytes);
  const { initialPages, pagesMax, isLowered } = limited;
  try {
    return {
      module: new WebAssembly.Module(limited.bytes),
      initialPages,
      pagesMax,
      isLowered,
      sourceBytes: source.length,
    };
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw new AppError(
      "module_invalid",
      `Cannot load module: ${error.message.replace(/^WebAssembly\.Module\(\): /, "")}`,
      {
        hint:
          "The file is damaged, or uses features of WebAssembly that this version does not have: build it again.",
        cause: error,
      },
    );
  }
}
