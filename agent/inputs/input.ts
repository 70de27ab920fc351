/** The port of an input type: what brings data to a task. Contract suite: `tests/contract/input_test.ts`. */
import type { InputSource } from "../../shared/model/job.ts";
import type { Failure } from "../core/outcome.ts";
import type { Mount } from "../engines/engine.ts";

/** Whether an input may be used on this node, and what it costs to have it here. */
export type InputProbe =
  | { readonly isUsable: true; readonly hereBytes: number; readonly fetchBytes: number }
  | { readonly isUsable: false; readonly failure: Failure };

/** Whose input it is. */
export interface InputRequest {
  /** Folder of the execution, for what cannot be shared with others. */
  readonly folder: string;
  /** Distinguishes the inputs of one execution. */
  readonly index: number;
  /** The peer that owns the job: it has the contents that the source names by digest. */
  readonly home: string;
  readonly signal: AbortSignal;
}

/** One or more types of inputs. */
export interface Input {
  /** The `Source.Type`s of job specs that it serves. */
  readonly types: readonly string[];
  /** Quick and without network: asked for every order. Never throws. */
  probe(input: InputSource): InputProbe;
  /**
   * Brings the input here. Idempotent by (folder, index). Errors: `input_refused` when it may not be used,
   * `input_failed` when it could not be had; an abort rejects soon.
   */
  prepare(input: InputSource, request: InputRequest): Promise<Mount>;
}
