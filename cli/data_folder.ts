/**
 * The data folder of a node: made, locked for this process, and marked with the node's id. The lock is SQLite's own on
 * a small file: it works on every Deno, and is gone with its process whatever ends that.
 */
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { AppError } from "../shared/errors.ts";
import { reasonOf } from "./file_errors.ts";
import { type IdSource, newNodeId, NodeId } from "../shared/model/ids.ts";

/** The id is part of the names under which the node is addressed. */
const Identity = z.object({ nodeId: NodeId.refine((id) => /^n-[\w-]{1,64}$/.test(id)) });

/** A locked data folder. */
export interface DataFolder {
  readonly path: string;
  readonly nodeId: NodeId;
  /** Lets another process have the folder. */
  close(): void;
}

/** Errors: `in_use` when another process has it, `store` when it cannot be written. */
export function openDataFolder(path: string, ids: IdSource): DataFolder {
  make(path);
  const lock = takeLock(path);
  try {
    return { path, nodeId: readNodeId(path, ids), close: () => lock.close() };
  } catch (error) {
    lock.close();
    throw error;
  }
}

function make(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o750 });
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function takeLock(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(`${path}/lock`);
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock?.close();
    if (!/is locked|is busy/.test(String(cause))) throw unusable(path, cause);
    throw new AppError("in_use", `Cannot use the data folder "${path}": another Skerry has it`, {
      hint: "Stop that one, or name another folder with --data-dir",
      cause,
    });
  }
}

function readNodeId(path: string, ids: IdSource): NodeId {
  const file = `${path}/node.json`;
  try {
    return Identity.parse(JSON.parse(Deno.readTextFileSync(file))).nodeId;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) {
      throw new AppError("store", `Cannot read "${file}": it does not say which node this is`, {
        hint: "Restore the file, or name another data folder with --data-dir",
        cause,
      });
    }
  }
  const identity = { nodeId: newNodeId(ids) };
  try {
    Deno.writeTextFileSync(`${file}.new`, JSON.stringify(identity) + "\n", { mode: 0o640 });
    Deno.renameSync(`${file}.new`, file);
  } catch (cause) {
    throw unusable(path, cause);
  }
  return identity.nodeId;
}

function unusable(path: string, cause: unknown): AppError {
  return new AppError("store", `Cannot use the data folder "${path}": ${reasonOf(cause)}`, {
    hint:
      "Check its owner, its permissions, the mount and the free space, or name another folder with --data-dir",
    cause,
  });
}
