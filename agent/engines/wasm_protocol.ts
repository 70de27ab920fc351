/**
 * What the engine and its children say to each other: JSON lines, orders to the child's stdin, replies from its stdout.
 * A child runs one task at a time. An end of its stdin means that nobody will order more: it ends when it is idle.
 */
import type { EngineExit, EngineTask } from "./engine.ts";
import type { ProcessIdentity } from "./execution_file.ts";

/** Run this task. */
export interface WasmOrder {
  readonly task: EngineTask;
  /** The child's own identity, which it may not ask the system for. */
  readonly process: ProcessIdentity;
}

/** What a child tells. */
export type WasmReply =
  /** It can take orders. */
  | { readonly kind: "ready" }
  /** The start is recorded, the module is being loaded. */
  | { readonly kind: "started"; readonly executionId: string }
  /** Somebody recorded a start of this execution before: not started again. */
  | { readonly kind: "held"; readonly executionId: string }
  /** The start could not be recorded. */
  | { readonly kind: "refused"; readonly executionId: string; readonly message: string }
  /** It ended and that is recorded; with `isSpent`, the child takes no further orders. */
  | {
    readonly kind: "ended";
    readonly executionId: string;
    readonly exit: EngineExit;
    readonly isSpent: boolean;
  };

/** First argument of the executable that makes it a child. */
export const CHILD_ARGUMENT = "__wasm";

/**
 * The command that starts a child: compiled, the executable itself with a hidden argument; from source, Deno with an
 * entry file that imports little and with no more rights than it needs.
 */
export function wasmChildCommand(): readonly string[] {
  if (Deno.build.standalone) return [Deno.execPath(), CHILD_ARGUMENT];
  const entry = new URL("./wasm_child_main.ts", import.meta.url);
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    "--cached-only",
    "--allow-read",
    "--allow-write",
    entry.href,
  ];
}
