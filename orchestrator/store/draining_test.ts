import assert from "node:assert/strict";
import type { Execution } from "../../shared/model/execution.ts";
import type { JobId, NodeId } from "../../shared/model/ids.ts";
import type { Drain } from "../../shared/model/node.ts";
import { aNode } from "../../tests/support/builders.ts";
import { Draining } from "./draining.ts";

const [HERE, THERE, ELSEWHERE] = ["n-here", "n-there", "n-elsewhere"] as NodeId[] as [NodeId, NodeId, NodeId];
const JOB = "j-1" as JobId;
const drain: Drain = { kind: "drain", sinceAtMs: 1 };
const drained = (id: NodeId) => aNode({ id }, { drain });
const on = (nodeId: NodeId, jobId = JOB) => ({ nodeId, jobId }) as Execution;

function twoDrained(): Draining {
  const draining = new Draining();
  draining.rebuild([drained(HERE), drained(THERE), aNode({ id: ELSEWHERE })]);
  assert.deepEqual(draining.take(10), [HERE, THERE]);
  return draining;
}

Deno.test("a drained node is looked at when something changes there, and not for what happens elsewhere", () => {
  const draining = twoDrained();
  draining.follow(on(ELSEWHERE));
  assert.equal(draining.isDue, false);
  draining.follow(on(THERE));
  assert.deepEqual(draining.take(10), [THERE]);
  assert.equal(draining.isDue, false);
});

Deno.test("a drained node is looked at when a job that it waits for changes anywhere, once for each time that it says so", () => {
  const draining = twoDrained();
  draining.looked(HERE, { jobs: [JOB], isMore: false });
  draining.follow(on(ELSEWHERE, "j-2" as JobId));
  assert.equal(draining.isDue, false);
  draining.follow(on(ELSEWHERE));
  assert.deepEqual(draining.take(10), [HERE]);
  draining.follow(on(ELSEWHERE));
  assert.equal(draining.isDue, false);
});

Deno.test("a sign of life makes no drained node due; another wish, a lost connection and what is left over do", () => {
  const draining = twoDrained();
  draining.followNode(drained(HERE), { ...drained(HERE), seenAtMs: 9 });
  assert.equal(draining.isDue, false);
  draining.followNode(drained(HERE), { ...drained(HERE), connection: "disconnected" });
  draining.followNode(drained(THERE), { ...drained(THERE), drain: { ...drain, isOver: true } });
  assert.deepEqual([draining.take(1), draining.take(1)], [[HERE], [THERE]]);
  draining.looked(HERE, { jobs: [], isMore: true });
  assert.deepEqual(draining.take(10), [HERE]);
});

Deno.test("a node that takes work again is not looked at any more", () => {
  const draining = twoDrained();
  draining.looked(HERE, { jobs: [JOB], isMore: true });
  draining.followNode(drained(HERE), aNode({ id: HERE }));
  draining.follow(on(HERE));
  draining.follow(on(ELSEWHERE));
  assert.equal(draining.isDue, false);
});
