/** Ports of the machine: its disk, folders of executions, stored contents. The simulator has its own. */
import type { RunOutput } from "../../shared/model/result.ts";
import type { Resources } from "../../shared/model/resources.ts";

/** The folder of one execution. */
export interface ExecutionFolder {
  readonly path: string;
  /** Folder of each result, in the order of the names given. */
  readonly resultPaths: readonly string[];
}

/** A file or folder of an execution's results, as its user sees it. `path` is relative, with `/`. */
export interface ResultFile {
  readonly path: string;
  readonly kind: "file" | "folder";
  readonly sizeBytes: number;
}

/** A piece of an execution's output. Never ends inside a UTF-8 character unless the output does. */
export interface OutputPiece {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly atMs: number;
  /** Output is missing here because of the limit: how many bytes. */
  readonly cutBytes?: number;
}

/** Some output, and where to go on. */
export interface OutputPage {
  readonly pieces: readonly OutputPiece[];
  readonly cursor: string;
  /** The task has ended and this is the last of its output. */
  readonly isComplete: boolean;
}

/** Folders of executions. Synchronous where it is a few small calls. */
export interface Workspace {
  /** Makes the execution's folder with one folder for each result. Idempotent. Errors: `io`, `disk_full`. */
  create(executionId: string, resultNames: readonly string[]): Promise<ExecutionFolder> | ExecutionFolder;
  /** Where the folder is, whether it is there or not. */
  pathOf(executionId: string): string;
  /** Removes everything of the execution: all of it is out of reach at once. Idempotent. */
  remove(executionId: string): Promise<void>;
  /** Bytes of everything that it left; 0 when there is nothing. */
  sizeOf(executionId: string): Promise<number>;
  /** Empties the folders of results, which an earlier run has written to. Idempotent. Errors: `io`. */
  clearResults(executionId: string, resultNames: readonly string[]): Promise<void>;
  /** How much output of each stream is there. */
  outputBytes(executionId: string): { readonly stdout: number; readonly stderr: number };
  /** The first bytes of each stream, from the given ones on; empty where there is none. */
  readPreview(
    executionId: string,
    exitCode: number,
    from?: { readonly stdout: number; readonly stderr: number },
  ): RunOutput;
  /** From an earlier page's cursor; "" is the beginning. Errors: `bad_request` for a cursor that is none. */
  readOutput(executionId: string, cursor: string): Promise<OutputPage>;
  /** stdout, stderr, exitCode and one folder for each result, sorted by path. Links are left out. */
  listResults(executionId: string): Promise<readonly ResultFile[]>;
  /** At most `bytesMax` from `offset` on; empty at the end. Errors: `not_found`, also for what is no result. */
  readResult(
    executionId: string,
    at: { readonly path: string; readonly offset: number; readonly bytesMax: number },
  ): Promise<{ readonly bytes: Uint8Array; readonly sizeBytes: number }>;
}

/** Contents by digest (`sha256:<hex>`), each stored once and never changed. */
export interface ContentStore {
  /** Where the content is, when it is here whole. Marks it as used now. */
  find(digest: string): string | undefined;
  /** How much of an unfinished content is here. */
  partialBytes(digest: string): number;
  /** Appends to an unfinished content. */
  append(digest: string, bytes: Uint8Array): void;
  /** Verifies the digest and answers the path. Errors: `input_failed` when it does not match; the piece is dropped. */
  finish(digest: string): string;
  /** Stores a whole content. Idempotent. */
  put(bytes: Uint8Array): { readonly digest: string; readonly path: string };
  /** Folder unpacked from a stored content, made once by `unpack`; what fails leaves nothing. */
  tree(contentPath: string, unpack: (folder: string) => Promise<void>): Promise<string> | string;
  /**
   * Removes what was not used lately, down to so many bytes (its own bound unless given); never what `inUse` names, which is
   * asked only then. Answers how much went, or with `isDry` would go.
   */
  sweep(
    inUse: () => ReadonlySet<string>,
    options?: { readonly bytesMax?: number; readonly isDry?: boolean },
  ): { readonly count: number; readonly bytes: number };
  /** Everything that is here. */
  held(): { readonly count: number; readonly bytes: number };
}

/**
 * Asks an HTTP server and answers with its status; redirections are not followed, and nothing is kept of the body. Rejects when
 * there is no answer in time.
 */
export type HttpGet = (url: string, options: { timeoutMs: number; signal: AbortSignal }) => Promise<number>;

/** What the machine is and has. */
export interface Machine {
  readonly os: string;
  readonly arch: string;
  readonly hostname: string;
  readonly total: Resources;
  /** Bytes free where the agent keeps its data. */
  diskFreeBytes(): number;
  /** Whether nobody listens at a port of one of the machine's addresses; false for an address that it does not have. */
  isPortFree(at: { readonly address: string; readonly port: number }): boolean;
  /** Gives up, or takes again, the bytes kept for a full disk. */
  releaseReserve(): void;
  keepReserve(): void;
}
