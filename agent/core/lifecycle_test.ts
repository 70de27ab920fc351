import assert from "node:assert/strict";
import { agentLifecycleTable } from "./lifecycle.ts";

/** A change of behaviour shows in the diff of this table and of docs/lifecycle.md. */
const TABLE = `
| event | queued | preparing | preparing, stopping | running | running, stopping | running, timed out | running, unhealthy | restarting | preparing, again | publishing | ended |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| \`granted\` | **preparing** (hold, prepare) | · | · | · | · | · | · | · | · | · | · |
| \`started\` | · | **running** (wait, tell) | **running, stopping** (wait, stop, tell) | · | · | · | · | · | **running** (wait, tell) | · | · |
| \`start_failed\` | · | **failed** (release, forget) | **stopped** (release, forget) | · | · | · | · | · | **failed** (release, forget) | · | · |
| \`exited\` | **publishing** (hold, publish) | **publishing** (publish) | **stopped** (release, forget) | **publishing** (publish) | **stopped** (release, forget) | **publishing, failed** (publish) | **publishing, failed** (publish) | · | **publishing** (publish) | (publish) | · |
| \`exited, may restart\` | **restarting** (hold, tell) | **restarting** (tell) | **stopped** (release, forget) | **restarting** (tell) | **stopped** (release, forget) | **publishing, failed** (publish) | **restarting** (tell) | · | **restarting** (tell) | (publish) | · |
| \`restart_due\` | · | · | · | · | · | · | · | **preparing, again** (prepare) | · | · | · |
| \`health_changed: unhealthy\` | · | · | · | **running, unhealthy** (tell, stop) | · | · | · | · | · | · | · |
| \`published\` | · | · | · | · | · | · | · | · | · | **completed** (release, forget) | · |
| \`publish_failed\` | · | · | · | · | · | · | · | · | · | **failed** (release, forget) | · |
| \`stop_ordered\` | **stopped** | **preparing, stopping** (abandon, stop) | · | **running, stopping** (stop) | · | · | **running, stopping** (stop) | **stopped** (release, forget) | **preparing, stopping** (abandon, stop) | **stopped** (abandon, release, forget) | · |
| \`timed_out\` | · | · | · | **running, timed out** (stop, tell) | · | · | **running, timed out** (stop, tell) | **publishing, failed** (publish, tell) | **preparing, timed out** (abandon, stop, tell) | · | · |
| \`recovered: running\` | **running** (hold, wait, tell) | **running** (wait, tell) | **running, stopping** (wait, stop) | (wait, tell) | (wait, stop) | (wait, stop) | (wait, stop) | · | **running** (wait, tell) | (publish) | · |
| \`recovered: running, restart\` | **running, to be restarted** (hold, wait, stop, tell) | **running, to be restarted** (wait, stop, tell) | **running, stopping** (wait, stop) | **running, to be restarted** (wait, stop, tell) | (wait, stop) | (wait, stop) | (wait, stop) | · | **running, to be restarted** (wait, stop, tell) | (publish) | · |
| \`recovered: nothing\` | · | (prepare) | **stopped** (release, forget) | **failed** (release, forget) | **stopped** (release, forget) | **failed** (release, forget) | **failed** (release, forget) | · | (prepare) | (publish) | · |
| \`recovered: nothing, run again\` | · | (prepare) | **stopped** (release, forget) | **preparing, again** (prepare, tell) | **stopped** (release, forget) | **failed** (release, forget) | **preparing, again** (prepare, tell) | · | (prepare) | (publish) | · |
`;

Deno.test("every state answers every event as the table says", () => {
  assert.equal(agentLifecycleTable(), TABLE.trim());
});
