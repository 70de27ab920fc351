/** Ids: a prefix that says of what, and a random UUID. The short form is the prefix and the first 8 hex digits. */
import { z } from "zod";

/** `j-<uuid>` */
export const JobId = z.string().brand<"JobId">();
export type JobId = z.infer<typeof JobId>;
/** `e-<uuid>` */
export const ExecutionId = z.string().brand<"ExecutionId">();
export type ExecutionId = z.infer<typeof ExecutionId>;
/** A bare UUID. */
export const EvaluationId = z.string().brand<"EvaluationId">();
export type EvaluationId = z.infer<typeof EvaluationId>;
/** `n-<uuid>`; used in subjects, so without `.`, `*`, `>` and spaces. */
export const NodeId = z.string().brand<"NodeId">();
export type NodeId = z.infer<typeof NodeId>;

/** Where ids come from: the machine's random numbers, or a seed in the simulator. */
export interface IdSource {
  uuid(): string;
}

/** A new id of a job. */
export const newJobId = (ids: IdSource): JobId => `j-${ids.uuid()}` as JobId;
/** A new id of an execution. */
export const newExecutionId = (ids: IdSource): ExecutionId => `e-${ids.uuid()}` as ExecutionId;
/** A new id of an evaluation. */
export const newEvaluationId = (ids: IdSource): EvaluationId => ids.uuid() as EvaluationId;
/** A new id of a node. */
export const newNodeId = (ids: IdSource): NodeId => `n-${ids.uuid()}` as NodeId;

/** `j-0123abcd` from `j-0123abcd-…`. */
export function shortId(id: string): string {
  return id.slice(0, id.startsWith("j-") || id.startsWith("e-") || id.startsWith("n-") ? 10 : 8);
}
