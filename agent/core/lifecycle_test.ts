import assert from "node:assert/strict";
import { agentLifecycleTable } from "./lifecycle.ts";

/** A change of behaviour shows in the diff of this table and of docs/lifecycle.md. */
const TABLE = `
| event | queued | preparing | preparing, stopping | running | running, stopping | running, timed out | publishing | ended |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| \`granted\` | **preparing** (hold, prepare) | · | · | · | · | · | · | · |
| \`started\` | · | **running** (wait, tell) | **running, stopping** (wait, stop, tell) | · | · | · | · | · |
| \`start_failed\` | · | **failed** (release, forget) | **stopped** (release, forget) | · | · | · | · | · |
| \`exited\` | **publishing** (hold, publish) | **publishing** (publish) | **stopped** (release, forget) | **publishing** (publish) | **stopped** (release, forget) | **publishing, failed** (publish) | (publish) | · |
| \`published\` | · | · | · | · | · | · | **completed** (release, forget) | · |
| \`publish_failed\` | · | · | · | · | · | · | **failed** (release, forget) | · |
| \`stop_ordered\` | **stopped** | **preparing, stopping** (abandon, stop) | · | **running, stopping** (stop) | · | · | **stopped** (abandon, release, forget) | · |
| \`timed_out\` | · | · | · | **running, timed out** (stop, tell) | · | · | · | · |
| \`recovered: running\` | **running** (hold, wait, tell) | **running** (wait, tell) | **running, stopping** (wait, stop) | (wait, tell) | (wait, stop) | (wait, stop) | (publish) | · |
| \`recovered: nothing\` | · | (prepare) | **stopped** (release, forget) | **failed** (release, forget) | **stopped** (release, forget) | **failed** (release, forget) | (publish) | · |
`;

Deno.test("every state answers every event as the table says", () => {
  assert.equal(agentLifecycleTable(), TABLE.trim());
});
