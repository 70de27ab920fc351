import assert from "node:assert/strict";
import { homeLifecycleTable } from "./lifecycle.ts";

/** A change of behaviour shows in the diff of these tables and of docs/lifecycle.md. */
const EXECUTIONS = `
| event | placed | queued | preparing | running | publishing | completed | failed | stopped | refused | lost |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| \`reported: queued\` | **queued** | (noted) | **queued** | **queued** | **queued** | · | · | · | · | **queued** |
| \`reported: preparing\` | **preparing** | **preparing** | (noted) | **preparing** | **preparing** | · | · | · | · | **preparing** |
| \`reported: running\` | **running** | **running** | **running** | (noted) | **running** | · | · | · | · | **running** |
| \`reported: publishing\` | **publishing** | **publishing** | **publishing** | **publishing** | (noted) | · | · | · | · | **publishing** |
| \`reported: completed\` | **completed** | **completed** | **completed** | **completed** | **completed** | · | · | · | · | **completed** |
| \`reported: completed, partition taken\` | **stopped** | **stopped** | **stopped** | **stopped** | **stopped** | · | · | · | · | **stopped** |
| \`reported: failed\` | **failed** | **failed** | **failed** | **failed** | **failed** | · | · | · | · | **failed** |
| \`reported: stopped\` | **stopped** | **stopped** | **stopped** | **stopped** | **stopped** | · | · | · | · | **stopped** |
| \`reported: refused\` | **refused** | **refused** | **refused** | **refused** | **refused** | · | · | · | · | **refused** |
| \`stop_wanted\` | (stop) | (stop) | (stop) | (stop) | (stop) | · | · | · | · | (stop) |
| \`lost\` | **lost** | **lost** | **lost** | **lost** | **lost** | · | · | · | · | · |
`;

const JOBS = `
| event | pending | queued | running | completed | failed | stopped |
| --- | --- | --- | --- | --- | --- | --- |
| \`waiting, nothing at work\` | **queued** | (noted) | **queued** | · | · | · |
| \`waiting, others at work\` | **queued** | (noted) | · | · | · | · |
| \`started\` | **running** | **running** | · | · | · | · |
| \`partition_completed\` | (counted) | (counted) | (counted) | (counted) | (counted) | (counted) |
| \`image_found\` | (noted) | (noted) | (noted) | · | · | · |
| \`rollout: good\` | (noted) | (noted) | (noted) | · | · | · |
| \`partitions, more than before\` | (noted) | (noted) | (noted) | · | · | · |
| \`completed\` | **completed** | **completed** | **completed** | · | · | · |
| \`failed\` | **failed** | **failed** | **failed** | · | · | · |
| \`stopped\` | **stopped** | **stopped** | **stopped** | · | · | · |
`;

Deno.test("every phase of an execution at its home answers every event as the table says", () => {
  assert.equal(homeLifecycleTable().executions, EXECUTIONS.trim());
});

Deno.test("every phase of a job answers every event as the table says", () => {
  assert.equal(homeLifecycleTable().jobs, JOBS.trim());
});
