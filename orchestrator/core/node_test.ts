import assert from "node:assert/strict";
import { aView, someResources } from "../../tests/support/builders.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { heldForOthers } from "./node.ts";

Deno.test("what a node holds for other homes is its own last word, and nothing before the first", () => {
  const view = aView();
  const held = someResources({ cpuMillis: 200 });
  const load = {
    allocated: held,
    queued: NO_RESOURCES,
    runningCount: 2,
    queuedCount: 0,
    heldForOthers: held,
  };
  assert.deepEqual(heldForOthers({ ...view, node: { ...view.node, load } }), held);
  assert.deepEqual(heldForOthers(view), NO_RESOURCES);
});
