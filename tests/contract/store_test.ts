/** What the orchestrator's store promises to the stages and the doors, in memory and on disk. */
import assert from "node:assert/strict";
import { APPLICATION_ID, MIGRATIONS } from "../../orchestrator/store/migrations.ts";
import { hashOfSpec } from "../../orchestrator/store/jobs.ts";
import { openQueries } from "../../orchestrator/store/read.ts";
import { Store } from "../../orchestrator/store/store.ts";
import { systemClock } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import { Database } from "../../shared/ledger/database.ts";
import type { Execution } from "../../shared/model/execution.ts";
import type { JobId, NodeId } from "../../shared/model/ids.ts";
import { Job, type JobPhase } from "../../shared/model/job.ts";
import { seededIds } from "../../shared/random.ts";
import { aNode, aSpec, someResources } from "../support/builders.ts";

interface Opened {
  readonly store: Store;
  /** The same store as the next process finds it. */
  reopen(): Store;
}

const PLACES: Readonly<Record<string, (use: (opened: Opened) => void) => void>> = {
  memory(use) {
    using database = Database.open({
      path: ":memory:",
      migrations: MIGRATIONS,
      applicationId: APPLICATION_ID,
    });
    const open = () => new Store({ database, clock: systemClock, ids: seededIds(1) });
    use({ store: open(), reopen: open });
  },
  disk(use) {
    const folder = Deno.makeTempDirSync();
    const path = `${folder}/store.db`;
    let database = Database.open({ path, migrations: MIGRATIONS, applicationId: APPLICATION_ID });
    const open = () => new Store({ database, clock: systemClock, ids: seededIds(1) });
    try {
      use({
        store: open(),
        reopen() {
          database.close();
          database = Database.open({ path, migrations: MIGRATIONS, applicationId: APPLICATION_ID });
          return open();
        },
      });
    } finally {
      database.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
};

let number = 0;
function aJob(change: Partial<Job> = {}): Job {
  const id = (change.id ?? `j-${String(++number).padStart(8, "0")}`) as JobId;
  return {
    spec: aSpec({ name: id }),
    version: 1,
    revision: 1,
    phase: "pending",
    completedCount: 0,
    createdAtMs: 1000 + number,
    modifiedAtMs: 1000 + number,
    ...change,
    id,
  };
}
const put = (store: Store, job: Job) => store.transaction(() => store.jobs.insert(job, hashOfSpec(job.spec)));
const anExecution = (job: Job, change: Partial<Execution> = {}): Execution => ({
  id: `e-${++number}`,
  jobId: job.id,
  jobVersion: 1,
  namespace: "default",
  nodeId: "n-1",
  evaluationId: "v",
  partition: 0,
  attempt: 0,
  resources: someResources(),
  explanation: { nodesKnown: 1, nodesFit: 1, rejectedBy: {}, scores: {} },
  desired: "run",
  phase: "running",
  reportRevision: 0,
  revision: 1,
  createdAtMs: 0,
  modifiedAtMs: 0,
  ...change,
} as Execution);
const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

for (const [place, within] of Object.entries(PLACES)) {
  const test = (sentence: string, body: (opened: Opened) => void) =>
    Deno.test(`the store in ${place} ${sentence}`, () => within(body));

  test("finds a job by name, id and prefix, and says when a prefix is ambiguous", ({ store }) => {
    const job = aJob({ id: "j-aa11" as JobId, spec: aSpec({ name: "etl" }) });
    put(store, job);
    put(store, aJob({ id: "j-aa22" as JobId }));
    const queries = openQueries(store);
    for (const key of ["etl", "j-aa11", "j-aa1", "aa1"]) assert.deepEqual(queries.getJob(key), job);
    assert.throws(() => queries.getJob("j-aa"), hasCode("ambiguous"));
    assert.throws(() => queries.getJob("etl", "other"), hasCode("not_found"));
    assert.throws(() => queries.getJob(""), hasCode("not_found"));
  });

  test("keeps jobs, evaluations and what nodes hold for the next process", ({ store, reopen }) => {
    const job = aJob();
    store.transaction(() => {
      const node = aNode({ id: "n-1" as NodeId });
      store.nodes.put(node);
      store.projection.putNode(node);
      const row = store.jobs.insert(job, hashOfSpec(job.spec));
      store.executions.insert({ jobRow: row, execution: anExecution(job) });
      store.executions.insert({
        jobRow: row,
        execution: anExecution(job, { phase: "placed", partition: 1 }),
      });
      store.evaluate({ row, job }, "job_register");
    });
    const again = reopen();
    assert.deepEqual(openQueries(again).getJob(job.id), job);
    const { allocated, waitingCount } = again.projection.find("n-1" as NodeId)!;
    assert.deepEqual([allocated.cpuMillis, waitingCount], [200, 1]);
    assert.equal(again.waiting.dueCount, 1);
  });

  test("keeps every field of a job for the next process", ({ store, reopen }) => {
    const job = aJob({
      ...{
        phase: "failed",
        code: "internal",
        message: "why",
        hint: "what to do",
        completedCount: 3,
        revision: 7,
      },
      rollout: {
        state: "failed",
        upCount: 1,
        sinceAtMs: 5,
        goodVersion: 1,
        rolledBackFrom: 2,
        message: "will not do",
      },
      image: { digest: "busybox@sha256:00", platforms: ["linux/amd64"] },
      partitionCount: 4,
    });
    assert.deepEqual(Object.keys(job).sort(), Object.keys(Job.shape).sort(), "of all fields");
    put(store, job);
    assert.deepEqual(openQueries(reopen()).getJob(job.id), job);
  });

  test("changes rows and memory together, or neither", ({ store }) => {
    put(store, aJob());
    assert.throws(() =>
      store.transaction(() => {
        const job = aJob();
        const row = store.jobs.insert(job, "x");
        store.evaluate({ row, job }, "job_register");
        store.projection.putNode(aNode({ id: "n-9" as NodeId }));
        throw new AppError("internal", "on purpose");
      }), hasCode("internal"));
    assert.equal(openQueries(store).listJobs({ limit: 10 }).items.length, 1);
    assert.equal(store.waiting.dueCount, 0);
    assert.equal(store.projection.nodes.length, 0);
  });

  test("pages through jobs without loss or repetition, both ways, whatever the filter", ({ store }) => {
    const phases: JobPhase[] = ["pending", "completed", "failed"];
    const jobs = Array.from({ length: 25 }, (_, index) => {
      const id = `j-page${String(index).padStart(2, "0")}` as JobId;
      return aJob({
        id,
        phase: phases[index % 3],
        spec: aSpec({ name: id, labels: { odd: `${index % 2}` } }),
      });
    });
    for (const job of jobs) put(store, job);
    const queries = openQueries(store);
    for (const orderBy of ["created", "modified"] as const) {
      for (const isReversed of [false, true]) {
        const found: JobId[] = [];
        let cursor: string | undefined;
        do {
          const labels = [{ key: "odd", operator: "=" as const, values: ["1"] }];
          const page = queries.listJobs({
            limit: 4,
            cursor,
            isReversed,
            orderBy,
            labels,
            phases: ["completed", "failed"],
          });
          found.push(...page.items.map(({ id }) => id));
          cursor = page.next;
        } while (cursor !== undefined);
        const wanted = jobs.filter((job, index) => index % 2 === 1 && job.phase !== "pending").map(({ id }) =>
          id
        );
        assert.deepEqual(found, isReversed ? wanted.toReversed() : wanted);
      }
    }
    assert.throws(() => queries.listJobs({ limit: 4, cursor: "'; DROP TABLE jobs" }), hasCode("bad_request"));
  });

  test("tells history in order, by level and by execution", ({ store }) => {
    const job = aJob();
    const row = put(store, job);
    const event = (message: string) => ({ topic: "Execution" as const, message });
    store.transaction(() => {
      store.record({ row, job }, event("one"));
      store.record({ row, job }, event("two"), { executionId: "e-1" });
      store.record({ row, job }, event("three"), { executionId: "e-2", ageMs: 5000 });
    });
    const { listHistory } = openQueries(store);
    const messages = (query: Partial<Parameters<typeof listHistory>[1]>) =>
      listHistory(job.id, { limit: 10, ...query }).items.map(({ message }) => message);
    assert.deepEqual(messages({}), ["one", "two", "three"]);
    assert.deepEqual(messages({ level: "job" }), ["one"]);
    assert.deepEqual(messages({ level: "execution" }), ["two", "three"]);
    assert.deepEqual(messages({ executionId: "e-2" as Execution["id"] }), ["three"]);
    const first = listHistory(job.id, { limit: 2 });
    assert.deepEqual(messages({ cursor: first.next }), ["three"]);
    const [one, , three] = listHistory(job.id, { limit: 10 }).items;
    assert.ok(one!.atMs - three!.atMs >= 4000);
  });

  test("takes one result per partition, and knows what is still open", ({ store }) => {
    const job = aJob({ spec: aSpec({ name: "p", count: 3 }) });
    const row = put(store, job);
    store.transaction(() => {
      store.executions.insert({ jobRow: row, execution: anExecution(job, { phase: "completed" }) });
      store.executions.insert({ jobRow: row, execution: anExecution(job, { phase: "running", attempt: 1 }) });
      store.executions.insert({
        jobRow: row,
        execution: anExecution(job, { phase: "failed", code: "interrupted", partition: 1 }),
      });
    });
    assert.equal(store.executions.isTaken({ jobRow: row, jobVersion: 1, partition: 0 }), true);
    assert.equal(store.executions.isTaken({ jobRow: row, jobVersion: 1, partition: 1 }), false);
    const { open, nextPartition } = store.executions.openOf(row, 1);
    assert.deepEqual(open.map(({ partition, isSuperseded, code }) => [partition, isSuperseded, code]), [
      [0, true, undefined],
      [1, false, "interrupted"],
    ]);
    assert.equal(nextPartition, 2);
  });

  test("knows the latest execution and the result of each partition", ({ store }) => {
    const job = aJob({ spec: aSpec({ name: "r", count: 5 }) });
    const row = put(store, job);
    const result = { type: "local", params: {} };
    const insert = (partition: number, attempt: number, change: Partial<Execution>) => {
      const execution = anExecution(job, { partition, attempt, ...change });
      store.executions.insert({ jobRow: row, execution });
      return execution.id;
    };
    const ids = store.transaction(() => [
      insert(0, 0, { phase: "completed", result }),
      insert(0, 1, { phase: "failed", result }),
      insert(1, 0, { phase: "failed", result }),
      insert(1, 1, { phase: "failed" }),
      insert(1, 2, { phase: "refused" }),
      insert(2, 0, { phase: "refused" }),
      insert(3, 0, { phase: "running" }),
    ]);
    const queries = openQueries(store);
    assert.deepEqual([...queries.walkLatest(job.id, {})], [ids[1], ids[3], ids[6]]);
    assert.deepEqual([...queries.walkLatest(job.id, { partition: 1, version: "all" })], [ids[3]]);
    assert.deepEqual([...queries.walkLatest(job.id, { partition: 4 })], []);
    const left: string[] = [];
    let cursor: string | undefined;
    do {
      const page = queries.listResults(job.id, { limit: 1, cursor });
      left.push(...page.items.map(({ id }) => id));
      cursor = page.next;
    } while (cursor !== undefined);
    assert.deepEqual(left, [ids[0], ids[2]]);
  });

  test("finds what one partition prints in a job of many without walking it", ({ store }) => {
    const job = aJob({ spec: aSpec({ name: "many", count: 20_000 }) });
    const row = put(store, job);
    store.transaction(() => {
      for (let partition = 0; partition < 20_000; partition++) {
        store.executions.insert({ jobRow: row, execution: anExecution(job, { partition }) });
      }
    });
    const queries = openQueries(store);
    const startMs = performance.now();
    for (let commit = 0; commit < 500; commit++) {
      assert.equal([...queries.walkLatest(job.id, { partition: 19_999 })].length, 1);
    }
    assert.ok(performance.now() - startMs < 1_000);
  });

  test("looks at what is open of a job, not at all that has completed", ({ store }) => {
    const job = aJob({ spec: aSpec({ name: "large", count: 20_000 }) });
    const row = put(store, job);
    store.transaction(() => {
      for (let partition = 0; partition < 20_000; partition++) {
        const phase = partition < 19_990 ? "completed" : partition % 2 ? "running" : "failed";
        store.executions.insert({ jobRow: row, execution: anExecution(job, { partition, phase }) });
      }
    });
    const startMs = performance.now();
    for (let time = 0; time < 300; time++) {
      assert.deepEqual([store.executions.openOf(row, 1).open.length, store.executions.mayRunOf(row)], [
        10,
        true,
      ]);
    }
    const queries = openQueries(store);
    for (let page = 0; page < 300; page++) {
      const cursor = page === 0 ? undefined : `10000.10000`;
      assert.equal(queries.listExecutions(job.id, { limit: 1, cursor }).items.length, 1);
    }
    assert.ok(performance.now() - startMs < 1_500, `${performance.now() - startMs} ms`);
  });

  test("lists jobs by their last change without sorting all of them again and again", ({ store }) => {
    store.transaction(() => {
      for (let count = 0; count < 6_000; count++) {
        const job = aJob({
          phase: count % 100 === 0 ? "running" : "completed",
          modifiedAtMs: (count * 7_919) % 6_007,
        });
        const row = store.jobs.insert(job, "hash");
        if (job.phase === "running") store.executions.insert({ jobRow: row, execution: anExecution(job) });
      }
    });
    const queries = openQueries(store);
    for (const isReversed of [false, true]) {
      const startMs = performance.now();
      const found: Job[] = [];
      let cursor: string | undefined;
      do {
        const page = queries.listJobs({ limit: 500, cursor, isReversed, orderBy: "modified" });
        found.push(...page.items);
        cursor = page.next;
      } while (cursor !== undefined);
      assert.equal(found.length, 6_000);
      const wanted = [...found].sort((a, b) => a.modifiedAtMs - b.modifiedAtMs);
      assert.deepEqual(
        found.map(({ id }) => id),
        (isReversed ? wanted.toReversed() : wanted).map(({ id }) => id),
      );
      assert.ok(performance.now() - startMs < 2_000, `${performance.now() - startMs} ms`);
    }
    const live = store.jobs.scan({ after: 0, isReversed: false, limit: 1_000, isLive: true });
    assert.deepEqual([live.length, new Set(live.map(({ job }) => job.phase)).size], [60, 1]);
  });
}
