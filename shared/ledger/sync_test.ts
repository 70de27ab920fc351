import assert from "node:assert/strict";
import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { decodeMessage } from "../wire/envelope.ts";
import { encodeMessage } from "../wire/envelope.ts";
import { type Entry, type Hello, type Mark, SyncMessage } from "../wire/messages.ts";
import { Damaged } from "./damaged.ts";
import { Database } from "./database.ts";
import { LEDGER_TABLES } from "./ledger.ts";
import { NOTHING_APPLIED } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { Sync } from "./sync.ts";

const HOME = "hub/orchestrator";
const AGENT = "n-1/agent";
const word = (body: string) => ({ lane: "state" as const, kind: "order", about: "e-1", body });

/** A home whose one agent is played by the test: what it sends is in `sent`, `hear` is a message from the agent. */
function aHome() {
  const database = Database.open({ path: ":memory:", migrations: [LEDGER_TABLES], applicationId: 7 });
  const sent: SyncMessage[] = [];
  const applied: Entry[] = [];
  const lost: string[] = [];
  const told: string[] = [];
  let receive: (bytes: Uint8Array) => void = () => {};
  let nowMs = 0;
  let isDiskFull = false;
  const bus: Bus = {
    publish: (_subject, bytes) => void sent.push(decodeMessage(SyncMessage, bytes)),
    subscribe: (_subject, call) => {
      receive = call;
      return () => {};
    },
    request: () => Promise.reject(new AppError("unavailable", "Nobody is there")),
    respond: () => () => {},
    onLink: () => () => {},
    close: () => Promise.resolve(),
  };
  const clock: Clock = { wallMs: () => nowMs, uptimeMs: () => nowMs, after: () => () => {} };
  database.beforeEachCommit(() => {
    if (isDiskFull) throw new AppError("disk_full", "The disk is full");
  });
  const sync = new Sync({
    ...{ self: HOME, bus, database, clock },
    outbox: new Outbox({
      database,
      clock,
      process: "p",
      damaged: new Damaged((_, about) => told.push(about)),
    }),
    nudge: () => {},
    program: {
      apply: (_from, _lane, entry) => void applied.push(entry),
      snapshot: () => [word("all there is")],
      onLostStore: (peer) => void lost.push(peer),
      accepts: () => true,
    },
  });
  sync.open([]);
  const tick = () => {
    while (sync.tick());
    return sent.splice(0);
  };
  return {
    ...{ applied, lost, told, tick },
    tell: (...words: string[]) => {
      database.transaction(() => words.forEach((it) => sync.send(AGENT, word(it))));
      return tick();
    },
    note: (body: string) => database.transaction(() => sync.send(AGENT, { ...word(body), lane: "history" })),
    /** Flips bits in everything that waits. */
    damage: () => database.transaction(() => database.run("UPDATE outbox SET body = 'x' || body")),
    hear: (message: object) => {
      receive(encodeMessage({ from: AGENT, to: HOME, ...message }));
      return tick();
    },
    report: (about: string[]) =>
      database.transaction(() =>
        about.forEach((it) => sync.send(AGENT, { ...word("x"), kind: "report", about: it }))
      ),
    waiting: (what = "1") => Number(database.get(`SELECT count(*) AS n FROM outbox WHERE ${what}`)!.n),
    fillDisk: (isFull: boolean) => void (isDiskFull = isFull),
    pass: (ms: number) => void (nowMs += ms),
    settle: () => database.transaction(() => {}),
  };
}

const hello = (state: Mark, change: Partial<Hello> = {}) => ({
  type: "hello",
  applied: { state, history: NOTHING_APPLIED },
  own: { state: { epoch: 1, seq: 0, hash: "" }, history: { epoch: 1, seq: 0, hash: "" } },
  wantsAnswer: false,
  ...change,
});
const batches = (messages: readonly SyncMessage[]) => messages.filter((it) => it.type === "batch");
const hellos = (messages: readonly SyncMessage[]) => messages.filter((it) => it.type === "hello");
/** The marks after each of the given words. */
function marksOf(messages: readonly SyncMessage[]): Mark[] {
  return batches(messages).map(({ last }) => last);
}

/** A home that has told three words one by one, each acknowledged. */
function aHomeInStep() {
  const home = aHome();
  home.hear(hello(NOTHING_APPLIED));
  const marks = ["one", "two", "three"].map((it) => {
    const [mark] = marksOf(home.tell(it));
    home.hear({ type: "ack", lane: "state", applied: mark });
    return mark!;
  });
  home.settle();
  assert.equal(home.waiting(), 0);
  return { ...home, marks };
}

Deno.test("a hello that was overtaken by acknowledgements is asked about, and restarts nothing", () => {
  const { hear, tell, marks } = aHomeInStep();
  const [question] = hellos(hear(hello(marks[0]!)));
  assert.ok(question?.wantsAnswer && question.question !== undefined);
  assert.deepEqual(batches(hear(hello(marks[2]!, { answers: question.question }))), []);
  const [batch] = batches(tell("four"));
  assert.deepEqual([batch?.last.epoch, batch?.last.seq, batch?.entries.map(({ body }) => body)], [1, 4, [
    "four",
  ]]);
});

Deno.test("a peer whose answer is below what it had acknowledged has lost its store, and gets a snapshot", () => {
  const { hear, marks, lost } = aHomeInStep();
  const [question] = hellos(hear(hello(marks[0]!)));
  assert.deepEqual(lost, []);
  const [batch] = batches(hear(hello(marks[0]!, { answers: question!.question })));
  assert.deepEqual(lost, [AGENT]);
  assert.deepEqual([batch?.prev, batch?.last.epoch], [{ epoch: 2, seq: 0, hash: "" }, 2]);
  assert.deepEqual(batch?.entries.map(({ body }) => body), ["all there is"]);
});

const facts = (body: string, hash: string) => ({
  ...{ type: "batch", lane: "state", entries: [{ seq: 1, kind: "node", about: "n-1", ageMs: 0, body }] },
  prev: { epoch: 1, seq: 0, hash: "" },
  last: { epoch: 1, seq: 1, hash },
});
const said = (store: string | undefined, hash: string) =>
  hello(NOTHING_APPLIED, {
    store,
    own: { state: { epoch: 1, seq: 1, hash }, history: { epoch: 1, seq: 0, hash: "" } },
  });

Deno.test("a peer that comes with another store has lost the one it had, though its numbers fit", () => {
  const { hear, tell, applied, lost } = aHome();
  hear(said("store-a", "a"));
  hear(facts("from the first store", "a"));
  tell("one");
  const [question] = hellos(hear(said("store-b", "b")));
  assert.ok(question?.question !== undefined);
  assert.deepEqual(lost, [], "the hello may have been overtaken");
  const [batch] = batches(hear({ ...said("store-b", "b"), answers: question.question }));
  assert.deepEqual([lost, batch?.last.epoch, batch?.entries.map(({ body }) => body)], [[AGENT], 2, [
    "all there is",
  ]]);
  hear(facts("from the second store", "b"));
  assert.deepEqual(applied.map(({ body }) => body), ["from the first store", "from the second store"]);
  assert.deepEqual(hellos(hear(said("store-b", "b"))), []);
  assert.deepEqual(lost, [AGENT]);
});

Deno.test("a peer that names no store is believed by its numbers", () => {
  const { hear, lost } = aHome();
  for (const store of ["store-a", undefined, "store-a"]) assert.deepEqual(hellos(hear(said(store, "a"))), []);
  assert.deepEqual(lost, []);
});

Deno.test("the id of a store is made with what is written first, and stays", () => {
  const { hear } = aHome();
  const stores = ["before", "after"].map(() =>
    hellos(hear({ ...said("store-a", "a"), wantsAnswer: true }))[0]?.store
  );
  assert.deepEqual(stores, [undefined, "p"]);
});

Deno.test("an acknowledgement of another history deletes nothing", () => {
  const { hear, tell, settle, waiting } = aHome();
  hear(hello(NOTHING_APPLIED));
  const [mark] = marksOf(tell("one"));
  hear({ type: "ack", lane: "state", applied: { ...mark!, hash: "of another" } });
  settle();
  assert.equal(waiting(), 1);
});

Deno.test("late and doubled answers breed no questions", () => {
  const { hear, marks, pass } = aHomeInStep();
  assert.equal(hellos(hear(hello(marks[0]!))).length, 1);
  assert.equal(hellos(hear(hello(marks[0]!, { answers: "an older question" }))).length, 0);
  assert.equal(hellos(hear(hello(marks[1]!))).length, 0);
  pass(60_000);
  assert.equal(hellos(hear(hello(marks[1]!))).length, 1);
});

Deno.test("what a doubled batch says is applied once, and acknowledged again", () => {
  const { hear, applied } = aHome();
  const entry = { seq: 1, kind: "report", about: "e-1", ageMs: 0, body: 1 };
  const batch = {
    ...{ type: "batch", lane: "state", entries: [entry] },
    prev: { epoch: 1, seq: 0, hash: "" },
    last: { epoch: 1, seq: 1, hash: "h" },
  };
  for (let time = 0; time < 2; time++) assert.deepEqual(hear(batch).map(({ type }) => type), ["ack"]);
  assert.deepEqual(applied.map(({ seq }) => seq), [1]);
});

Deno.test("a batch with a gap is not applied: the sender hears where this side stands", () => {
  const { hear, applied } = aHome();
  const answer = hear({
    ...{
      type: "batch",
      lane: "state",
      entries: [{ seq: 3, kind: "report", about: "e-1", ageMs: 0, body: 1 }],
    },
    prev: { epoch: 1, seq: 2, hash: "g" },
    last: { epoch: 1, seq: 3, hash: "h" },
  });
  assert.deepEqual([answer.map(({ type }) => type), applied], [["hello"], []]);
});

Deno.test("a state that waits and cannot be read is told anew with all the others", () => {
  const { hear, tell, damage } = aHome();
  tell("one");
  damage();
  const [batch] = batches(hear(hello(NOTHING_APPLIED)));
  assert.deepEqual(batch?.last.epoch, 2);
  assert.deepEqual(batch.entries.map(({ body }) => body), ["all there is"]);
  assert.deepEqual(batches(tell("two")).map(({ entries }) => entries[0]?.body), ["two"]);
});

Deno.test("an event that waits and cannot be read is missing, and no other", () => {
  const { hear, note, damage, told } = aHome();
  note("one");
  damage();
  note("two");
  const [batch] = batches(hear(hello(NOTHING_APPLIED)));
  assert.deepEqual([batch?.last.seq, batch?.entries.map(({ body }) => body)], [2, ["two"]]);
  assert.deepEqual(told, ["message history 1 for n-1/agent"]);
});

Deno.test("reports that wait for a long time are replaced without looking at all the others", () => {
  const { report, waiting } = aHome();
  const count = 5_000;
  const startMs = performance.now();
  for (let round = 0; round < 2; round++) report(Array.from({ length: count }, (_, at) => `e-${at}`));
  assert.ok(performance.now() - startMs < 4_000);
  assert.deepEqual([waiting(), waiting("body IS NOT NULL")], [2 * count, count]);
  report(["e-0", "e-0"]);
  assert.equal(waiting("body IS NOT NULL"), count);
});

Deno.test("what cannot be deleted for a full disk is deleted once there is room", () => {
  const { hear, tell, settle, waiting, fillDisk } = aHome();
  hear(hello(NOTHING_APPLIED));
  const [mark] = marksOf(tell("one"));
  hear({ type: "ack", lane: "state", applied: mark });
  fillDisk(true);
  assert.throws(settle);
  assert.equal(waiting(), 1);
  fillDisk(false);
  settle();
  assert.equal(waiting(), 0);
});

Deno.test("a hello that a full disk did not let in is dealt with when it comes again", () => {
  const { hear, tell, waiting, fillDisk } = aHome();
  hear(hello(NOTHING_APPLIED));
  const [mark] = marksOf(tell("one"));
  fillDisk(true);
  hear(hello(mark!));
  assert.equal(waiting(), 1);
  fillDisk(false);
  hear(hello(mark!));
  assert.equal(waiting(), 0);
});
