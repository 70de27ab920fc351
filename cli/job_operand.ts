/** How commands take a job, and which of its versions. */
import type { Operand } from "./command.ts";
import { text, toggle, whole } from "./flags.ts";

/** One job. */
export const JOB_OPERAND = {
  name: "JOB",
  summary: "ID, its beginning, or name",
  completes: "job",
} as const satisfies Operand;

/** Where a job's name is looked up. */
export const NAMESPACE_FLAG = {
  namespace: text({
    placeholder: "NAME",
    completes: "namespace",
    summary: "Namespace in which the job's name is looked up",
  }),
};

/** One version of the job; absent: the current one. */
export const VERSION_FLAG = {
  jobVersion: whole({
    placeholder: "N",
    short: "v",
    summary: "Of this version (default: the current one)",
    least: 1,
  }),
};

/** One version of the job, or all. */
export const VERSIONS_FLAGS = {
  ...VERSION_FLAG,
  allJobVersions: toggle({ summary: "Of every version" }),
};
