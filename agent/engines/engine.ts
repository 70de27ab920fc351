/**
 * The port of an engine: what runs a task. Six verbs; adapters are `wasm` and, with Docker, `docker`. The
 * contract suite in `tests/contract/engine_test.ts` holds for every adapter.
 */
import type { ErrorCode } from "../../shared/errors.ts";
import type { Failure } from "../core/outcome.ts";
import type { Gpu } from "../../shared/model/gpu.ts";
import type { ImageFound } from "../../shared/model/image.ts";
import type { Port } from "../../shared/model/port.ts";
import type { Task } from "../../shared/model/job.ts";
import type { Amount } from "../../shared/wire/messages.ts";

/** A folder or file of the host that the task sees at `target`. */
export interface Mount {
  readonly hostPath: string;
  /** Absolute path inside the task. */
  readonly target: string;
  readonly isReadOnly: boolean;
}

/** One task to run: everything an engine needs, and nothing of jobs or homes. */
export interface EngineTask {
  readonly executionId: string;
  /** Which start of the execution this is: 0, and one more with each start again in place. */
  readonly run: number;
  /** Folder of this execution on the host, made by the caller; the engine writes `stdout`, `stderr`, `exitCode`,
   * `log.index` and its own `.engine` state there. */
  readonly folder: string;
  /** Engine parameters as in the job spec, keys in the spec's casing (`EntryModule`, `Parameters`…). */
  readonly params: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  readonly inputs: readonly Mount[];
  /** Writable result folders, made by the caller below `folder`; `target` is what the job calls `Path`. */
  readonly results: readonly Mount[];
  /** File on the host whose content is the task's standard input; none means empty. */
  readonly stdinPath?: string;
  /** `NAME@sha256:…`: what the name of its image stands for, by an earlier attempt of the same job. */
  readonly image?: string;
  /** What the task may reach; engines without a network of their own do not look at it. */
  readonly network: Task["network"];
  /** Of this machine, that the task has been given; absent: none. */
  readonly ports?: readonly Port[];
  readonly memoryBytes: number;
  readonly cpuMillis: number;
  /** Devices that it gets for itself alone; engines without devices do not look at it. */
  readonly gpuCount?: number;
  /** Bound on what the task may write below its result folders; 0 means `LIMITS.diskBytesDefault`. */
  readonly diskBytes: number;
  /** Bound on each of stdout and stderr as kept, of all runs together. */
  readonly logBytes: number;
  /** What asks it to end; absent: the engine's, or the image's, usual one. Engines without signals do not look at it. */
  readonly stopSignal?: string;
}

/** How a task ended. */
export type EngineExit =
  | {
    readonly kind: "exited";
    readonly exitCode: number;
    /** What an exit code other than 0 may come from. */
    readonly hint?: string;
  }
  | { readonly kind: "stopped"; readonly exitCode?: number }
  | {
    readonly kind: "failed";
    readonly code: ErrorCode;
    readonly message: string;
    readonly hint?: string;
    readonly exitCode?: number;
    /** An end of the engine or of the machine ended it, not a fault of its own. */
    readonly isBlameless?: boolean;
  };

/** A run of an execution, and the folder that it has. */
export interface EngineRun {
  readonly folder: string;
  readonly run: number;
}

/** What a command printed (the beginning of it), and its exit code; undefined when it took too long. */
export interface ExecResult {
  readonly exitCode: number | undefined;
  readonly output: string;
}

/** What `list` tells of an execution that the engine still holds. */
export interface EngineHeld {
  readonly executionId: string;
  readonly isRunning: boolean;
  /** Only when it has ended. */
  readonly exit?: EngineExit;
}

/** What `start` may tell meanwhile. */
export interface StartOptions {
  /** Breaks off what may take long, such as fetching an image. */
  readonly signal?: AbortSignal;
  /** A sentence for the user, at most every few seconds: an image being fetched, and which one it is. */
  readonly onProgress?: (message: string) => void;
  /** What the image of its container is, once that is known, also when it cannot run here. */
  readonly onImage?: (image: ImageFound) => void;
}

/** Whether the engine can be used here, and why not. */
export type EngineProbe =
  | {
    readonly isAvailable: true;
    readonly version: string;
    /** `os/arch` of what it runs, where programs are made for one. */
    readonly platforms?: readonly string[];
    /** Networks that tasks may ask for, where they can ask for one; and why others cannot be had here. */
    readonly networks?: readonly string[];
    readonly absentNetworks?: Readonly<Record<string, string>>;
    /** Devices that it can give to tasks; and why it cannot give those that are there. */
    readonly gpus?: readonly Gpu[];
    readonly absentGpus?: string;
  }
  | {
    readonly isAvailable: false;
    readonly reason: string;
    readonly hint: string;
    /** It was never set up here: nothing that the node's owner needs to be warned of. */
    readonly isNotSetUp?: boolean;
    /** It does not answer, and may again by itself: what it has offered before still stands. */
    readonly isAway?: boolean;
  };

/** What fetched images take, what of it may go, what went, and why the rest stays. */
export interface PrunedImages {
  readonly held: Amount;
  readonly mayGo: Amount;
  readonly gone: Amount;
  readonly stays: readonly string[];
}

/** Runs tasks. All methods may be called at any time, in any order, more than once. */
export interface Engine {
  /** The `Engine.Type` of job specs that it runs. */
  readonly type: string;
  /** Explains absence instead of throwing. */
  probe(): Promise<EngineProbe>;
  /**
   * Starts the task; resolves once it runs. Idempotent by execution and run: a second start of a run that runs or has ended
   * does nothing, also after the agent was killed in between. A later run starts only after the end of the one before, of which
   * nothing is kept then but its output, which the new one's follows. Throws `AppError` when the task cannot start.
   */
  start(task: EngineTask, options?: StartOptions): Promise<void>;
  /** Why the node's owner does not let such a task run here; absent where there is nothing to judge. */
  refuses?(task: Pick<EngineTask, "params" | "network">): Failure | undefined;
  /** Resolves when the latest run has ended, at once when it ended already; unknown ids are `interrupted`. Aborting only stops the waiting. */
  wait(executionId: string, signal?: AbortSignal): Promise<EngineExit>;
  /** Asks the task to end, and kills it after `graceMs`. Resolves when it is surely dead. Unknown ids: nothing to do. */
  stop(executionId: string, options: { graceMs: number }): Promise<void>;
  /** What the engine still holds of the given runs, by execution: so recovery can compare. Of other runs nothing stays. */
  list(runs: ReadonlyMap<string, EngineRun>): Promise<readonly EngineHeld[]>;
  /**
   * Runs a command where the task runs; absent where an engine cannot. Errors: `unavailable` when the engine cannot be asked,
   * `start_failed` when the command cannot be started.
   */
  exec?(
    executionId: string,
    command: readonly string[],
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<ExecResult>;
  /** Where this machine reaches a TCP port of the running task; undefined when it does not. Errors: `unavailable`. */
  reach?(
    executionId: string,
    port: number,
  ): Promise<{ readonly host: string; readonly port: number } | undefined>;
  /** Forgets an ended execution: called after its end has been recorded. */
  forget(executionId: string): void;
  /** What images that the engine has fetched take, and removes those that nothing uses; not with `isDry`. Absent where there are none. */
  pruneImages?(options: { readonly isDry: boolean }): Promise<PrunedImages>;
  /** Ends idle children and watches; running tasks go on. */
  close(): Promise<void>;
}
