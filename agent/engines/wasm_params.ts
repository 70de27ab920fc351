/** Engine parameters of a `wasm` task, as the job spec has them. */
import { AppError } from "../../shared/errors.ts";

/** What is to be run. */
export interface WasmParams {
  /** Target path of an input. */
  readonly entryModule: string;
  readonly entrypoint: string;
  readonly parameters: readonly string[];
  readonly importModules: readonly string[];
}

/** Reads `EntryModule`, `Entrypoint`, `Parameters` and `ImportModules`. Throws `invalid`, naming the field. */
export function parseWasmParams(params: Readonly<Record<string, unknown>>): WasmParams {
  const entryModule = params["EntryModule"];
  if (typeof entryModule !== "string" || entryModule === "") {
    throw invalid("EntryModule must be the target path of an input", entryModule);
  }
  const entrypoint = params["Entrypoint"] ?? "_start";
  if (typeof entrypoint !== "string") {
    throw invalid("Entrypoint must be the name of an exported function", entrypoint);
  }
  return {
    entryModule,
    entrypoint: entrypoint === "" ? "_start" : entrypoint,
    parameters: textList("Parameters", params["Parameters"]),
    importModules: textList("ImportModules", params["ImportModules"]),
  };
}

function textList(name: string, value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string" && !item.includes("\0"))) {
    return value;
  }
  throw invalid(`${name} must be a list of strings`, value);
}

function invalid(what: string, current: unknown): AppError {
  const shown = JSON.stringify(current) ?? "missing";
  return new AppError("invalid", `Cannot start wasm task: ${what}, current value is ${shown.slice(0, 200)}`, {
    hint: "See the engine wasm in the job specification.",
  });
}
