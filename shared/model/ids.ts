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

/** Whether it begins as an id of a job, an execution or a node does: what is called so would be taken for one. */
export const looksLikeId = (text: string): boolean => /^[jen]-[0-9a-f]{8}/.test(text);
/** Whether it is a job's whole id: the name of a job that was submitted without one. */
export const isJobId = (text: string): boolean => /^j-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);

/** `j-0123abcd` from `j-0123abcd-…`. */
export function shortId(id: string): string {
  return id.slice(0, id.startsWith("j-") || id.startsWith("e-") || id.startsWith("n-") ? 10 : 8);
}
