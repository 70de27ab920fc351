/** A namespace with what its jobs get, may ask for and may hold together. One that nobody set up has no bounds and weight 1. */
import { z } from "zod";
import { Resources } from "./resources.ts";

/** Some amounts; what is absent is not bound, or not set. */
export const Amounts = Resources.partial();
export type Amounts = Readonly<z.infer<typeof Amounts>>;

/** One namespace as an operator set it up. */
export const Namespace = z.object({
  name: z.string(),
  /** While others of the same priority wait, it gets so many times what one with weight 1 gets. */
  weight: z.number().positive(),
  /** What a task gets that does not ask. */
  defaults: Amounts,
  /** The most that one task may ask for. */
  maxima: Amounts,
  /** The most that all its live executions may hold together. */
  quota: Amounts,
  /** The most jobs that have not ended. */
  jobsMax: z.number().int().nonnegative().optional(),
  createdAtMs: z.number(),
  modifiedAtMs: z.number(),
});
export type Namespace = Readonly<z.infer<typeof Namespace>>;
