/** `system prune`: its HTTP answers and its command on a whole node, and what people read. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { describeHeld } from "../../cli/system_prune.ts";
import { asRecord } from "../../cli/wire.ts";
import * as shapes from "../../orchestrator/http/prune_shapes.ts";
import { EXIT } from "../../shared/errors.ts";
import { assertGolden } from "../support/golden.ts";
import { skerry } from "../support/node_process.ts";
import { aTerminal } from "../support/terminal.ts";
import { waitUntil } from "../support/wait_until.ts";
import { type HttpNode, scriptedJob, startHttpNode } from "./http_node.ts";

async function run(node: HttpNode, name: string, change = {}): Promise<string> {
  const [task] = scriptedJob().Tasks as Record<string, unknown>[];
  const job = { Name: name, Tasks: [{ ...task, ...change }] };
  const { json } = await node.ask("PUT", "/orchestrator/jobs", { body: { Job: job } });
  const ended = await node.ask("GET", `/orchestrator/jobs/${json.JobID}?wait=terminal&wait_ms=10000`);
  equal(ended.json.Job.State.StateType, "Completed");
  return json.JobID;
}

async function prune(node: HttpNode, body: Record<string, unknown>) {
  const { status, json } = await node.ask("PUT", "/agent/prune", { body });
  equal(status, 200, JSON.stringify(json));
  shapes.Pruned.parse(json);
  return Object.fromEntries(json.Items.map((item: { Kind: string }) => [item.Kind, item]));
}

const ALL = ["jobs", "results", "logs", "contents"];
/** Without results: no result folder, and nothing published. */
const UNPUBLISHED = { Publisher: { Type: "none" }, ResultPaths: [] };

Deno.test("what is held is told by kind; logs go when asked for, unfetched results with their jobs only", async () => {
  await using node = await startHttpNode();
  await run(node, "published");
  const quiet = await run(node, "quiet", UNPUBLISHED);
  const held = await waitUntil("both ends are recorded", async () => {
    const told = await prune(node, { Kinds: ALL, DryRun: true });
    return told.logs.MayGo.Count === 1 && told.results.Stays.length === 1 ? told : undefined;
  });
  deepEqual([held.results.Held.Count, held.results.MayGo.Count], [1, 0]);
  deepEqual(held.results.Stays, ["1 that nobody has fetched"]);
  ok(held.logs.MayGo.Bytes > 0);
  const gone = await prune(node, { Kinds: ["results", "logs"] });
  deepEqual([gone.results.Gone.Count, gone.logs.Gone.Count, gone.logs.Held.Count], [0, 1, 0]);
  const logs = await node.ask("GET", `/orchestrator/jobs/${quiet}`);
  equal(logs.status, 200);
  await run(node, "newest", UNPUBLISHED);
  const all = await waitUntil("the jobs are at rest", async () => {
    const told = await prune(node, { Kinds: ["jobs", "results"] });
    return told.jobs.Gone.Count > 0 ? told : undefined;
  });
  deepEqual([all.jobs.Gone.Count, all.results.Gone.Count, all.results.Held.Count], [2, 1, 0]);
  equal((await node.ask("GET", "/orchestrator/jobs")).json.Items.length, 1);
  deepEqual(node.errors, []);
});

Deno.test("a request for room that cannot be read changes nothing", async () => {
  await using node = await startHttpNode();
  const bodies = [{}, { Kinds: [] }, { Kinds: ["volumes"] }, { Kinds: ["jobs"], OlderThanMs: -1 }, {
    Kinds: ["jobs"],
    DryRun: "no",
  }];
  for (const body of bodies) {
    const { status, json } = await node.ask("PUT", "/agent/prune", { body });
    deepEqual([status, json.Details.code], [400, "invalid"], JSON.stringify(body));
  }
});

Deno.test("system prune shows what would go, asks, and tells what went", async () => {
  await using node = await startHttpNode();
  const env = { SKERRY_API: node.url, SKERRY_CONFIG: "/nowhere/config.yaml" };
  const system = (...args: string[]) => skerry(["system", "prune", ...args], { env });
  await run(node, "quiet", UNPUBLISHED);
  await run(node, "newest", UNPUBLISHED);
  await waitUntil("the ends are recorded", async () => {
    const { logs } = await prune(node, { Kinds: ["logs"], DryRun: true });
    return logs.MayGo.Count === 2;
  });
  const dry = await system("--dry-run");
  equal(dry.code, EXIT.ok, dry.stderr);
  match(dry.stdout, /^logs\s+2\s+\d+ B\s+2\s+\d+ B\s+-$/m);
  match(dry.stdout, /^jobs\s+2\s+-\s+-\s+-\s+not asked for \(--jobs\)/m);
  const unasked = await system("--logs");
  equal(unasked.code, EXIT.usage);
  match(unasked.stderr, /Cannot ask "Remove 2 executions' logs: \d+ B\?".*\n.*--yes/);
  const none = await system("--logs", "--older-than", "1h", "--yes");
  match(none.stdout, /There is nothing to remove\n$/);
  const done = await system("--logs", "--yes");
  equal(done.code, EXIT.ok, done.stderr);
  match(done.stdout, /Removed 2 executions' logs: \d+ B\n$/);
  const data = await system("--logs", "--yes", "-o", "json");
  deepEqual(JSON.parse(data.stdout), { Items: [] });
});

Deno.test("what is held, as people read it", async () => {
  const item = (Kind: string, held: number, mayGo: number, Stays: string[] = []) => ({
    ...{ Kind, Stays, Gone: { Count: 0, Bytes: 0 } },
    Held: { Count: held, Bytes: held * 1_500_000 },
    MayGo: { Count: mayGo, Bytes: mayGo * 1_500_000 },
  });
  const wire = {
    Items: [
      item("jobs", 1204, 1200, ["3 of which something is still at work, or the newest"]),
      item("results", 80, 12, ["60 that nobody has fetched", "8 that were fetched a moment ago"]),
      item("logs", 400, 400),
      item("contents", 3, 1, ["what is in use, or was a moment ago"]),
    ],
    ...{ IsMore: false, StoreBytes: 35_000_000, AgentStoreBytes: 4_000_000, DiskFreeBytes: 75e9 },
  };
  shapes.Pruned.parse(wire);
  const show = (kinds: string[], olderThanMs?: number) =>
    describeHeld(asRecord(wire), { terminal: aTerminal(), kinds, olderThanMs });
  await assertGolden(
    "cli/system_prune.txt",
    [show(["results", "logs", "contents"]), show(ALL, 7 * 86_400_000)].join("\n\n---\n\n") + "\n",
  );
});
