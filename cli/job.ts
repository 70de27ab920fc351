/** `skerry job` */
import type { Noun } from "./command.ts";
import { DESCRIBE } from "./job_describe.ts";
import { EXECUTIONS } from "./job_executions.ts";
import { EXPLAIN } from "./job_explain.ts";
import { GET } from "./job_get.ts";
import { HISTORY } from "./job_history.ts";
import { LIST } from "./job_list.ts";
import { LOGS } from "./job_logs.ts";
import { PLAN } from "./job_plan.ts";
import { RERUN } from "./job_rerun.ts";
import { RUN, VALIDATE } from "./job_run.ts";
import { STOP } from "./job_stop.ts";
import { VERSIONS } from "./job_versions.ts";
import { WAIT } from "./job_wait.ts";

/** `skerry job` */
export const JOB: Noun = {
  name: "job",
  summary: "Run, watch, stop and fetch jobs",
  commands: [
    RUN,
    PLAN,
    LIST,
    DESCRIBE,
    EXPLAIN,
    EXECUTIONS,
    HISTORY,
    LOGS,
    WAIT,
    GET,
    STOP,
    RERUN,
    VERSIONS,
    VALIDATE,
  ],
};
