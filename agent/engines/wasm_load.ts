/**
 * From a task's parameters to instances that are ready to start.
 *
 * An import's module name is resolved in this order: WASI itself; the modules of `ImportModules`, by target path (with or
 * without its leading slash) or by file name (with or without `.wasm`); as in Bacalhau, a path among the mounts. A path
 * that is a folder means the one `.wasm` file in it. Each module is instantiated once per execution.
 */
import { AppError } from "../../shared/errors.ts";
import type { CompiledModule, ModuleCache } from "./wasm_cache.ts";
import { IMPORT_MODULES_MAX, WASM_PAGE_BYTES } from "./wasm_limits.ts";
import type { WasmParams } from "./wasm_params.ts";
import { WASI_MODULE, type WasiContext, wasiFor } from "./wasi_calls.ts";
import type { WasiTree } from "./wasi_tree.ts";

const HINT_WASI =
  "Only WASI preview 1 (wasi_snapshot_preview1) is offered: compile for wasm32-wasip1, and give further modules " +
  "as import modules.";

/** An instance with what is needed to judge how it ended. */
export interface LoadedModule {
  readonly instance: WebAssembly.Instance;
  readonly compiled: CompiledModule;
  readonly memory: WebAssembly.Memory | undefined;
}

/** What modules are loaded from. */
export interface LoadContext {
  readonly tree: WasiTree;
  readonly cache: ModuleCache;
  readonly wasi: WasiContext;
  readonly memoryBytes: number;
}

/** Loads modules for one execution. */
export class ModuleLoader {
  readonly #context: LoadContext;
  /** By path in the tree; undefined while it is being loaded. */
  readonly #loaded = new Map<string, LoadedModule | undefined>();
  readonly #importPaths = new Map<string, string>();
  #initialPages = 0;

  constructor(context: LoadContext) {
    this.#context = context;
  }

  /** Everything that has been instantiated, in that order. */
  get all(): LoadedModule[] {
    return [...this.#loaded.values()].filter((module) => module !== undefined);
  }

  /** Throws `module_invalid` or `memory_exceeded`; traps of start functions are thrown as they are. */
  loadEntry(params: WasmParams): LoadedModule {
    for (const path of params.importModules) {
      for (const name of namesOf(path)) if (!this.#importPaths.has(name)) this.#importPaths.set(name, path);
    }
    for (const path of params.importModules) this.#load(path, "import module");
    return this.#load(params.entryModule, "entry module");
  }

  #load(path: string, what: string): LoadedModule {
    const { treePath, hostPath } = this.#resolve(path, what);
    const loaded = this.#loaded.get(treePath);
    if (loaded !== undefined) return loaded;
    if (this.#loaded.has(treePath)) {
      throw new AppError("module_invalid", `Cannot load module "${path}": it imports itself`, {
        hint: "Modules must not import each other in a circle.",
      });
    }
    if (this.#loaded.size > IMPORT_MODULES_MAX) {
      throw new AppError(
        "module_invalid",
        `Cannot load module "${path}": an execution may have ${IMPORT_MODULES_MAX} import modules`,
        {
          hint: "Link modules into one.",
        },
      );
    }
    this.#loaded.set(treePath, undefined);
    const module = this.#instantiate(path, hostPath);
    this.#loaded.set(treePath, module);
    return module;
  }

  #resolve(path: string, what: string): { treePath: string; hostPath: string } {
    let place = this.#context.tree.find(path);
    if (place?.isFolder) {
      const files = this.#context.tree.list(place).filter((entry) => entry.name.endsWith(".wasm"));
      if (files.length === 1) place = this.#context.tree.find(`${path}/${files[0]!.name}`);
    }
    if (place?.hostPath === undefined || !place.info?.isFile) {
      throw new AppError(
        "module_invalid",
        `Cannot load ${what} "${path}": no such file among the task's inputs`,
        {
          hint:
            "EntryModule and ImportModules are target paths of inputs: give the module as an input with that target.",
        },
      );
    }
    return { treePath: place.names.join("/"), hostPath: place.hostPath };
  }

  #instantiate(path: string, hostPath: string): LoadedModule {
    const { cache, memoryBytes, wasi } = this.#context;
    const compiled = cache.load(hostPath, memoryBytes);
    this.#initialPages += compiled.initialPages;
    if (this.#initialPages > compiled.pagesMax) {
      const need = Math.ceil((this.#initialPages * WASM_PAGE_BYTES) / 1024 / 1024);
      throw new AppError(
        "memory_exceeded",
        `Cannot load module "${path}": all modules together need ${need} MiB from the start`,
        {
          hint: `Give the task more memory: at least ${need} MiB.`,
        },
      );
    }
    const binding = wasiFor(wasi);
    const imports = this.#importsOf(path, compiled.module, binding.imports);
    try {
      const instance = new WebAssembly.Instance(compiled.module, imports);
      const memory = memoryOf(instance, compiled.module, imports);
      binding.bind(memory);
      return { instance, compiled, memory };
    } catch (error) {
      throw asLoadError(path, error);
    }
  }

  #importsOf(
    path: string,
    module: WebAssembly.Module,
    wasiImports: WebAssembly.ModuleImports,
  ): WebAssembly.Imports {
    const imports: WebAssembly.Imports = {};
    const missing: string[] = [];
    for (const wanted of WebAssembly.Module.imports(module)) {
      const from = wanted.module === WASI_MODULE ? wasiImports : this.#exportsOf(wanted.module);
      if (from === undefined) missing.push(`unknown module ${JSON.stringify(wanted.module)}`);
      else if (from[wanted.name] === undefined) {
        missing.push(`unknown ${wanted.kind} ${JSON.stringify(`${wanted.module}.${wanted.name}`)}`);
      } else imports[wanted.module] = from;
    }
    if (missing.length === 0) return imports;
    const told = [...new Set(missing)];
    const list = told.slice(0, 5).join(", ") + (told.length > 5 ? `, and ${told.length - 5} more` : "");
    throw new AppError("module_invalid", `Cannot load module "${path}": ${list}`, { hint: HINT_WASI });
  }

  /** The exports behind an import's module name; undefined when no module has it. */
  #exportsOf(name: string): WebAssembly.ModuleImports | undefined {
    const path = this.#importPaths.get(name) ??
      (this.#context.tree.find(name) === undefined ? undefined : name);
    return path === undefined
      ? undefined
      : this.#load(path, "import module").instance.exports as WebAssembly.ModuleImports;
  }
}

/** Names under which a module of `ImportModules` can be imported, the exact ones first. */
function namesOf(path: string): string[] {
  const relative = path.replace(/^\/+/, "");
  const file = relative.slice(relative.lastIndexOf("/") + 1);
  return [path, relative, file, file.replace(/\.wasm$/, "")];
}

function memoryOf(
  instance: WebAssembly.Instance,
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
): WebAssembly.Memory | undefined {
  const exported = instance.exports["memory"];
  if (exported instanceof WebAssembly.Memory) return exported;
  for (const wanted of WebAssembly.Module.imports(module)) {
    const value = imports[wanted.module]?.[wanted.name];
    if (value instanceof WebAssembly.Memory) return value;
  }
  return Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory);
}

function asLoadError(path: string, error: unknown): unknown {
  if (error instanceof WebAssembly.LinkError) {
    return new AppError("module_invalid", `Cannot load module "${path}": ${plain(error.message)}`, {
      hint: HINT_WASI,
      cause: error,
    });
  }
  if (error instanceof RangeError && /memory|table/i.test(error.message)) {
    return new AppError("memory_exceeded", `Cannot load module "${path}": ${plain(error.message)}`, {
      hint: "The node could not reserve the module's memory: give the task less, or try another node.",
      cause: error,
    });
  }
  return error;
}

function plain(message: string): string {
  return message.replace(/^WebAssembly\.\w+\(\): /, "");
}
