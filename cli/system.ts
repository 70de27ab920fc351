/** `skerry system` */
import type { Noun } from "./command.ts";
import { PRUNE } from "./system_prune.ts";

/** `skerry system` */
export const SYSTEM: Noun = {
  name: "system",
  summary: "See what a node keeps, and make room",
  commands: [PRUNE],
};
