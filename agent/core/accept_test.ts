import assert from "node:assert/strict";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { accept, ACCEPT_RULES, type Ask, type Offer } from "./accept.ts";

const ASK: Ask = {
  engine: "wasm",
  publisher: "local",
  inputs: [{ type: "inline" }],
  env: { A: "b" },
  resultNames: ["outputs"],
  resources: { ...NO_RESOURCES, cpuMillis: 100 },
};
const OFFER: Offer = {
  engines: new Set(["wasm"]),
  publishers: new Set(["local"]),
  inputs: new Set(["inline", "local"]),
  absent: {},
  envAllowed: [],
  capacity: { ...NO_RESOURCES, cpuMillis: 1000 },
  taskMax: { ...NO_RESOURCES, cpuMillis: 1000 },
  queueCapacity: { ...NO_RESOURCES, cpuMillis: 2000 },
  held: NO_RESOURCES,
  queuedCount: 0,
  queuedCountMax: 10,
  hasRoomNow: false,
};
const PROBLEM = { code: "input_refused", message: "this node does not allow the path" } as const;

/** One row for each rule, in the rules' order: what breaks it, and what is told. */
const ROWS: readonly [Partial<Ask>, Partial<Offer>, string, string][] = [
  [{ engine: "docker" }, { absent: { docker: "no socket" } }, "engine_missing", 'engine "docker": no socket'],
  [
    { engineProblem: { code: "refused", message: "this node does not give host networks" } },
    {},
    "refused",
    "host",
  ],
  [{ publisher: "s3" }, {}, "refused", 'publisher "s3"'],
  [{ inputs: [{ type: "ipfs" }] }, {}, "input_refused", 'input type "ipfs"'],
  [{ inputs: [{ type: "local", problem: PROBLEM }] }, {}, "input_refused", "allow the path"],
  [{ env: { A: "env:HOME" } }, {}, "refused", 'the variable "HOME"'],
  [{ resultNames: ["a/b"] }, {}, "refused", 'the name "a/b"'],
  [
    { resources: { ...NO_RESOURCES, cpuMillis: 4000 } },
    {},
    "refused",
    "enough CPU: the task asks for 4, the node gives 1",
  ],
  [
    {},
    { refuses: { code: "disk_full", message: "this node does not have enough free disk" } },
    "disk_full",
    "free disk",
  ],
  [{}, { queuedCount: 10 }, "exhausted", "10 executions wait"],
];

Deno.test("accept() takes what the node can run", () => {
  assert.equal(accept(ASK, OFFER), undefined);
  assert.equal(accept({ ...ASK, publisher: undefined }, OFFER), undefined);
});

Deno.test("accept() has one row for each rule, and each rejects with its reason", () => {
  assert.equal(ROWS.length, ACCEPT_RULES.length);
  for (const [at, [ask, offer, code, text]] of ROWS.entries()) {
    const [broken, given] = [{ ...ASK, ...ask }, { ...OFFER, ...offer }];
    const failure = accept(broken, given);
    assert.deepEqual(failure, ACCEPT_RULES[at]!.rejects(broken, given), ACCEPT_RULES[at]!.reason);
    assert.equal(failure?.code, code);
    assert.ok(
      failure.message.startsWith("this node does not") && failure.message.includes(text),
      failure.message,
    );
  }
});

Deno.test("accept() counts the queue's resources, unless the task can start at once", () => {
  const full = { ...OFFER, held: { ...NO_RESOURCES, cpuMillis: 2950 } };
  assert.equal(accept(ASK, full)?.code, "exhausted");
  assert.equal(accept(ASK, { ...full, hasRoomNow: true }), undefined);
});

Deno.test("accept() forwards a variable of the host that is allow-listed", () => {
  const ask = { ...ASK, env: { A: "env:HOME" } };
  for (const pattern of ["HOME", "H*", "*", "H?ME"]) {
    assert.equal(accept(ask, { ...OFFER, envAllowed: ["X", pattern] }), undefined, pattern);
  }
  for (const pattern of ["HOM", "OME", "H", "?", "h*", "H.ME", "H(.*)", "*X"]) {
    assert.equal(accept(ask, { ...OFFER, envAllowed: [pattern] })?.code, "refused", pattern);
  }
});

Deno.test("accept() refuses a result name that is there twice", () => {
  assert.equal(accept({ ...ASK, resultNames: ["a", "a"] }, OFFER)?.code, "refused");
});
