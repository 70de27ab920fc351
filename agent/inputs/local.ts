/** Files and folders of the node itself, where its owner allows it. Read-only unless both sides say otherwise. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import type { InputSource } from "../../shared/model/job.ts";
import { type AllowPath, allowRules, cleanHostPath } from "./allow_list.ts";
import type { Failure } from "../core/outcome.ts";
import type { Input } from "./input.ts";

const Params = z.object({
  SourcePath: z.string(),
  ReadWrite: z.boolean().optional(),
  CreateAs: z.string().optional(),
});

interface Wish {
  readonly path: string;
  readonly isWritable: boolean;
  readonly createAs: "dir" | "file" | "nocreate";
}

/** The input types `local` and `localDirectory`. */
export function localInput(options: { allowPaths: readonly AllowPath[] }): Input {
  const rules = allowRules(options.allowPaths, realPathOr);

  /** Why the path may not be used, by the rules as written. */
  const refusalOf = ({ path, isWritable }: Wish): Failure | undefined => {
    const fitting = rules.filter(({ matches }) => matches(path));
    if (fitting.length === 0) {
      return {
        code: "input_refused",
        message: `this node does not allow the path "${path}"`,
        hint: `Let its owner start it with --allow-path ${path}`,
      };
    }
    if (!isWritable || fitting.some(({ entry }) => entry.isWritable)) return undefined;
    return {
      code: "input_refused",
      message: `this node does not allow to write to the path "${path}"`,
      hint: `Drop ReadWrite, or let its owner start it with --allow-path ${path}:rw`,
    };
  };

  const refusalOfAbsence = ({ path, isWritable, createAs }: Wish): Failure | undefined => {
    if (isThere(path) || (isWritable && createAs !== "nocreate")) return undefined;
    return {
      code: "input_refused",
      message: `this node does not have the path "${path}"`,
      hint: "Place the data there, or constrain the job to nodes that have it",
    };
  };

  return {
    types: ["local", "localDirectory"],
    probe(input) {
      const wish = wishOf(input);
      const failure = "code" in wish ? wish : refusalOf(wish) ?? refusalOfAbsence(wish);
      return failure === undefined
        ? { isUsable: true, hereBytes: 0, fetchBytes: 0 }
        : { isUsable: false, failure };
    },
    prepare(input) {
      return Promise.resolve().then(() => {
        const wish = orThrow(wishOf(input));
        throwIf(refusalOf(wish));
        throwIf(refusalOfAbsence(wish));
        throwIf(refusalOf({ ...wish, path: realPathOf(wish.path) }));
        create(wish);
        // Only now it surely is there: a link that leads out is refused, whoever made it.
        const hostPath = Deno.realPathSync(wish.path);
        throwIf(refusalOf({ ...wish, path: hostPath }));
        return { hostPath, target: input.target, isReadOnly: !wish.isWritable };
      }).catch((cause) => {
        throw cause instanceof AppError ? cause : new AppError(
          "input_failed",
          `Cannot use a local path: ${cause instanceof Error ? cause.message : String(cause)}`,
          { hint: "Check that the agent may read it", cause },
        );
      });
    },
  };
}

function wishOf({ source }: InputSource): Wish | Failure {
  const params = Params.safeParse(source.params);
  const createAs = params.data?.CreateAs?.toLowerCase() || "dir";
  if (!params.success || !(createAs === "dir" || createAs === "file" || createAs === "nocreate")) {
    return {
      code: "input_refused",
      message: "this node does not understand a local input",
      hint:
        "It needs SourcePath, and may have ReadWrite (true or false) and CreateAs (dir, file or noCreate)",
    };
  }
  const { SourcePath, ReadWrite } = params.data;
  if (!SourcePath.startsWith("/") || SourcePath.split("/").includes("..") || SourcePath.includes("\0")) {
    return {
      code: "input_refused",
      message: `this node does not allow the path "${SourcePath}"`,
      hint: 'Local paths are absolute and without ".."',
    };
  }
  return { path: cleanHostPath(SourcePath), isWritable: ReadWrite ?? false, createAs };
}

function create({ path, createAs }: Wish): void {
  if (isThere(path)) return;
  if (createAs === "dir") return Deno.mkdirSync(path, { recursive: true, mode: 0o755 });
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")) || "/", { recursive: true, mode: 0o755 });
  Deno.openSync(path, { createNew: true, write: true, mode: 0o644 }).close();
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function realPathOr(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}

/** Where a path would be that is not there yet: its nearest folder that is, resolved, and the rest. */
function realPathOf(path: string): string {
  const parts = path.split("/");
  for (let length = parts.length; length > 1; length--) {
    const folder = parts.slice(0, length).join("/");
    try {
      Deno.lstatSync(folder);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw error;
    }
    return [Deno.realPathSync(folder), ...parts.slice(length)].join("/");
  }
  return path;
}

function orThrow(wish: Wish | Failure): Wish {
  if ("code" in wish) throw toError(wish);
  return wish;
}

function throwIf(failure: Failure | undefined): void {
  if (failure !== undefined) throw toError(failure);
}

const toError = ({ code, message, hint }: Failure) => new AppError(code, message, { hint });
