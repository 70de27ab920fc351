import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import type { Resources } from "../../shared/model/resources.ts";
import { aNode, aSpec, aTask, aView, someResources } from "../../tests/support/builders.ts";
import { judge, Tally, whyThere } from "./explain.ts";
import { FILTERS, needOf } from "./filters.ts";

const GIB = 1024 ** 3;
const needing = (resources: Partial<Resources>, constraints: Parameters<typeof aSpec>[0] = {}) =>
  needOf(aSpec({ task: aTask({ resources: someResources(resources) }), ...constraints }));
const textsOf = (verdict: ReturnType<typeof judge>) =>
  verdict.reasons.map(({ filter, text }) => [filter, text]);

Deno.test("a node with room fits, and nothing is said against it", () => {
  assert.deepEqual(judge(needing({}), aView()), { nodeId: "n-0", verdict: "fits", reasons: [] });
});

Deno.test("a full node tells what is asked for, what is free, and of how much", () => {
  const used = someResources({ cpuMillis: 3500, memoryBytes: 6.1 * GIB });
  const verdict = judge(needing({ cpuMillis: 1000, memoryBytes: 4 * GIB }), aView({}, used));
  assert.equal(verdict.verdict, "full");
  assert.deepEqual(textsOf(verdict), [
    ["room", "asks for 1 core, 0.5 free of 4; asks for 4 GiB memory, 1.9 GiB free of 8 GiB"],
  ]);
  assert.equal(verdict.reasons[0]!.isLasting, false);
});

Deno.test("what a node holds for others is not free", () => {
  const load = {
    ...{ allocated: someResources(), queued: someResources(), runningCount: 1, queuedCount: 0 },
    heldForOthers: someResources({ cpuMillis: 3500 }),
  };
  const view = { ...aView(), node: aNode({}, { load }) };
  assert.match(
    judge(needing({ cpuMillis: 1000 }), view).reasons[0]!.text,
    /^asks for 1 core, 0\.5 free of 4$/,
  );
});

Deno.test("a node with a queue takes it there, behind those that wait already", () => {
  const queueCapacity = someResources({ cpuMillis: 4000, memoryBytes: 8 * GIB });
  const used = someResources({ cpuMillis: 4000 });
  const view = { ...aView({ queueCapacity }, used), waitingCount: 2 };
  const verdict = judge(needing({ cpuMillis: 500 }), view);
  assert.equal(verdict.verdict, "busy");
  assert.equal(
    verdict.reasons[0]!.text,
    "asks for 0.5 cores, 0 free of 4; it would wait there behind 2 executions",
  );
  const full = judge(needing({ cpuMillis: 500 }), { ...view, waitingMax: 2 });
  assert.equal(full.verdict, "full");
  assert.match(full.reasons[0]!.text, /no more may wait there than the 2 executions that do$/);
});

Deno.test("every filter that says no is told, what lasts first, each with what would change it", () => {
  const view = {
    ...aView(),
    node: aNode({ engines: [] }, { connection: "disconnected", membership: "pending" }),
  };
  const verdict = judge(needing({ cpuMillis: 9000 }), view);
  assert.equal(verdict.verdict, "cannot");
  assert.deepEqual(verdict.reasons.map(({ filter }) => filter), [
    "engine",
    "size",
    "membership",
    "connection",
  ]);
  assert.ok(verdict.reasons.every(({ remedy }) => remedy !== ""));
  const away = judge(needing({}), { ...aView(), node: aNode({}, { connection: "disconnected" }) });
  assert.equal(away.verdict, "not_now");
});

Deno.test("a filter that somebody adds explains itself", () => {
  const filters = FILTERS as unknown as { pop(): void; push(filter: unknown): void };
  filters.push({ name: "tide", isLasting: false, rejects: () => "is under water" });
  try {
    assert.deepEqual(textsOf(judge(needing({}), aView())), [["tide", "is under water"]]);
  } finally {
    filters.pop();
  }
});

Deno.test("a node that has refused it says so before its room is looked at, and after its filters", () => {
  const refusal = { reason: "this node does not have /srv/data", hint: "Allow it there" };
  const notes = { refusals: new Map([["n-0" as NodeId, refusal]]), having: new Set<NodeId>() };
  const verdict = judge(needing({}), aView(), notes);
  assert.equal(verdict.verdict, "refused");
  assert.deepEqual(textsOf(verdict), [["refusal", "has refused it: does not have /srv/data"]]);
  assert.equal(verdict.reasons[0]!.remedy, "Allow it there");
  assert.equal(judge(needing({ cpuMillis: 9000 }), aView(), notes).verdict, "cannot");
});

Deno.test("a tally tells frequent reasons one by one, the rest by filter, and leaves no node out", () => {
  const tally = new Tally();
  for (let at = 0; at < 1000; at++) {
    const capacity = someResources({ cpuMillis: 1000 + at % 200, memoryBytes: GIB });
    tally.add(judge(needing({ cpuMillis: 3000 }), aView({ id: `n-${at}` as NodeId, capacity })));
  }
  tally.add(judge(needing({ cpuMillis: 3000 }), aView({ id: "n-x" as NodeId })));
  const groups = tally.groups(20);
  assert.equal(groups.reduce((sum, { nodeCount }) => sum + nodeCount, 0), 1001);
  assert.equal(groups.length, 22);
  // Each of 200 reasons holds for 5 nodes, the one that fits is the 201st: 20 are shown, the others by filter.
  assert.deepEqual(groups.map(({ verdict }) => verdict).slice(0, 2), ["fits", "cannot"]);
  const rest = groups.find(({ reasonCount }) => reasonCount > 1)!;
  assert.deepEqual([rest.nodeCount, rest.reasonCount, rest.reason!.filter], [900, 180, "size"]);
  assert.equal(tally.count("fits"), 1);
});

Deno.test("why a node was chosen is a sentence with the figures of every ranker, also of one that is new", () => {
  const scores = { room_now: 0, wishes: 0.5, apart: 0.25, packing: 0.424, tide: 0.5 };
  assert.equal(
    whyThere({ nodesKnown: 5, nodesFit: 3, rejectedBy: { size: 2 }, scores }, { isPerNode: false }),
    "best of 3 nodes that fitted, of 5 known (others ruled out: 2 by size): it was busy, and nothing better was free; " +
      "it met 50 % of the job's wishes; 3 executions of the job were there; with it 42 % of its cores and memory was in use, as the mean of both; tide 0.50",
  );
  assert.equal(
    whyThere({ nodesKnown: 1, nodesFit: 1, rejectedBy: {}, scores: { room_now: 1, wishes: 1, apart: 1 } }, {
      isPerNode: false,
    }),
    "the only node that fitted, of 1 known: it had room at once; nothing else of the job was there",
  );
  assert.equal(
    whyThere({ nodesKnown: 4, nodesFit: 1, rejectedBy: {}, scores }, { isPerNode: true }),
    "one for each node that matches, of 4 known",
  );
});
