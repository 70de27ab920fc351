/** What clients of the API see: shapes, errors, headers, paging, logs and results, on a whole node. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createSign, generateKeyPairSync } from "node:crypto";
import * as shapes from "../../orchestrator/http/shapes.ts";
import { LIMITS } from "../../shared/limits.ts";
import { waitUntil } from "../support/wait_until.ts";
import { type HttpNode, scriptedJob, startHttpNode } from "./http_node.ts";

/** Submits and answers the id. */
async function submit(node: HttpNode, job: Record<string, unknown>): Promise<string> {
  const { status, json } = await node.ask("PUT", "/orchestrator/jobs", { body: { Job: job } });
  equal(status, 200, JSON.stringify(json));
  return json.JobID;
}

/** The job once it has ended. */
async function ended(node: HttpNode, id: string) {
  const { json } = await node.ask("GET", `/orchestrator/jobs/${id}?wait=terminal&wait_ms=10000`);
  return json.Job;
}

Deno.test("a job from submission to results, in Bacalhau's shapes", async () => {
  await using node = await startHttpNode();
  const submitted = await node.ask("PUT", "/orchestrator/jobs", {
    body: {
      Job: scriptedJob(["exit"], { Name: "etl", Count: 2, Labels: { team: "x" } }),
      credential: null,
      namespace: "",
    },
  });
  equal(submitted.status, 200);
  shapes.Submitted.parse(submitted.json);
  match(submitted.json.JobID, /^j-[0-9a-f-]{36}$/);
  match(submitted.json.EvaluationID, /^[0-9a-f-]{36}$/);
  deepEqual(submitted.json.Warnings, []);
  const id: string = submitted.json.JobID;

  const job = await ended(node, id);
  equal(job.State.StateType, "Completed");
  equal(job.State.Details.CompletedCount, "2");

  const described = await node.ask(
    "GET",
    `/orchestrator/jobs/${id.slice(0, 10)}?include=history,executions,nonsense`,
  );
  shapes.JobAnswer.parse(described.json);
  match(described.text, /"CreateTime":\d{19},"ModifyTime":\d{19}/);
  equal(described.json.Executions.Items.length, 2);
  equal(described.json.History.NextToken, "");

  const executions = await node.ask(
    "GET",
    `/orchestrator/jobs/etl/executions?order_by=create_time&reverse=False`,
  );
  shapes.Executions.parse(executions.json);
  const [first, second] = executions.json.Items;
  equal(first.ComputeState.StateType, 9);
  equal(first.RunOutput.Stdout, "hello 0\n");
  equal(first.RunOutput.stderr, "careful\n");
  equal(first.RunOutput.ExitCode, 0);
  ok(!("PartitionIndex" in first));
  equal(second.PartitionIndex, 1);
  ok(first.AgeMs >= 0 && Date.parse(first.ObservedAt) > 0);
  const one = await node.ask("GET", `/orchestrator/executions/${first.ID}`);
  shapes.ExecutionAnswer.parse(one.json);

  const results = await node.ask("GET", `/orchestrator/jobs/${id}/results`);
  shapes.Results.parse(results.json);
  deepEqual(
    results.json.Items.map((item: { Type: string; Params: { URL: string } }) => [item.Type, item.Params.URL]),
    [
      ["urlDownload", `${node.url}/api/v1/orchestrator/results/${first.ID}.tar.gz`],
      ["urlDownload", `${node.url}/api/v1/orchestrator/results/${second.ID}.tar.gz`],
    ],
  );
  deepEqual(node.errors, []);
});

Deno.test("history is paged until nothing is left and the job has ended", async () => {
  await using node = await startHttpNode();
  const id = await submit(node, scriptedJob(["hold"]));
  const path = `/orchestrator/jobs/${id}/history?limit=1`;
  const seen: string[] = [];
  let token = "";
  await waitUntil("the task runs", async () => {
    const { json } = await node.ask("GET", `${path}&event_type=all&next_token=${token}`);
    shapes.History.parse(json);
    ok(json.NextToken !== "", "a job that goes on may have more events");
    ok(json.Items.length <= 1);
    for (const item of json.Items) seen.push(item.Event.Message);
    token = json.NextToken;
    return seen.includes("Running execution") && seen.includes("Running");
  });
  const empty = await node.ask("GET", `${path}&next_token=${token}`);
  deepEqual(empty.json.Items, []);
  equal(empty.json.NextToken, token);

  const held = node.ask("GET", `${path}&next_token=${token}&wait_ms=10000`);
  node.engine.endAll(0);
  const news = await held;
  equal(news.json.Items.length, 1);
  for (token = news.json.NextToken; token !== "";) {
    const { json } = await node.ask("GET", `${path}&next_token=${token}&wait_ms=5000`);
    for (const item of json.Items) seen.push(item.Event.Message);
    token = json.NextToken;
  }
  deepEqual([seen[0], seen.at(-1)], ["Job submitted", "Completed"]);
  const levels = await node.ask(
    "GET",
    `/orchestrator/jobs/${id}/history?event_type=execution&execution_id=&node_id=`,
  );
  ok(levels.json.Items.every((item: { Type: string }) => item.Type === "ExecutionLevel"));
  const old = await node.ask("GET", path, { headers: { "x-bacalhau-git-version": "v1.4.2" } });
  deepEqual(Object.keys(old.json.Items[0].JobState), ["Previous", "New"]);
});

Deno.test("a waiting answer comes when the job ends, and at the latest when its time is up", async () => {
  await using node = await startHttpNode();
  const id = await submit(node, scriptedJob(["hold"]));
  const begunMs = performance.now();
  const late = await node.ask("GET", `/orchestrator/jobs/${id}?wait=terminal&wait_ms=100`);
  ok(performance.now() - begunMs >= 90);
  ok(["Pending", "Running"].includes(late.json.Job.State.StateType));
  const held = node.ask("GET", `/orchestrator/jobs/${id}?wait=terminal&wait_ms=30000`);
  await waitUntil("the task runs", () => node.engine.running.length === 1);
  node.engine.endAll(0);
  equal((await held).json.Job.State.StateType, "Completed");
  const gone = new AbortController();
  const open = async () => (await node.ask("GET", "/agent/debug")).json.api.HeldAnswers as number;
  const other = await submit(node, scriptedJob(["hold"]));
  const aborted = fetch(`${node.url}/api/v1/orchestrator/jobs/${other}?wait=terminal&wait_ms=30000`, {
    signal: gone.signal,
  });
  await waitUntil("the answer is held", async () => await open() === 1);
  gone.abort();
  await aborted.catch(() => {});
  await waitUntil("its place is free again", async () => await open() === 0);
});

Deno.test("stopping: once, again, too late, and what is not there", async () => {
  await using node = await startHttpNode();
  const id = await submit(node, scriptedJob(["hold"]));
  const stopped = await node.ask("DELETE", `/orchestrator/jobs/${id}`, { body: { reason: "enough" } });
  equal(stopped.status, 200);
  shapes.Stopped.parse(stopped.json);
  match(stopped.json.EvaluationID, /^[0-9a-f-]{36}$/);
  const again = await node.ask("DELETE", `/orchestrator/jobs/${id}?namespace=`);
  deepEqual([again.status, again.json], [200, { EvaluationID: "" }]);
  const job = await ended(node, id);
  equal(job.State.StateType, "Stopped");
  const done = await submit(node, scriptedJob());
  await ended(node, done);
  const late = await node.ask("DELETE", `/orchestrator/jobs/${done}`, { body: { reason: "" } });
  deepEqual([late.status, late.json.Details.code], [409, "conflict"]);
  const missing = await node.ask("DELETE", "/orchestrator/jobs/nothing");
  deepEqual([missing.status, missing.json.Code, missing.json.Component], [404, "NotFound", "JobStore"]);
});

Deno.test("lists: order, pages, namespaces, labels, states, and Python's odd queries", async () => {
  await using node = await startHttpNode();
  const names = ["a", "b", "c"];
  for (const Name of names) {
    const Namespace = Name === "c" ? "other" : "default";
    await ended(node, await submit(node, scriptedJob([], { Name, Namespace, Labels: { nth: Name } })));
  }
  const listed = async (query: string) => {
    const { status, json } = await node.ask("GET", `/orchestrator/jobs?${query}`);
    equal(status, 200, JSON.stringify(json));
    shapes.Jobs.parse(json);
    return json.Items.map((item: { Name: string }) => item.Name).join();
  };
  equal(await listed(""), "a,b,c");
  equal(await listed("limit=5&order_by=created_at&reverse=False&namespace=&next_token=&labels="), "a,b,c");
  equal(await listed("reverse=True"), "c,b,a");
  equal(await listed("namespace=*"), "a,b,c");
  equal(await listed("namespace=other"), "c");
  equal(await listed("labels=nth%20in%20(a,c)&labels=bacalhau_canary%20!=%20true"), "a,c");
  equal(await listed("state=failed,running"), "");
  equal(await listed("state=Completed"), "a,b,c");
  const first = await node.ask("GET", "/orchestrator/jobs?limit=2");
  ok(first.json.NextToken);
  equal(await listed(`limit=2&next_token=${encodeURIComponent(first.json.NextToken)}`), "c");
  const versions = await node.ask("GET", "/orchestrator/jobs/a/versions");
  shapes.Jobs.parse(versions.json);
  equal(versions.json.Items.length, 1);
});

Deno.test("a node is drained, kept from new work, and takes work again", async () => {
  await using node = await startHttpNode();
  const path = await waitUntil("the node has joined", async () => {
    const [first] = (await node.ask("GET", "/orchestrator/nodes")).json.Nodes;
    return first?.Info.NodeType === "Compute" ? `/orchestrator/nodes/${first.Info.NodeID}` : undefined;
  });
  const act = async (body: Record<string, unknown>) => {
    const { status, json } = await node.ask("PUT", path, { body });
    if (status !== 200) return `${status} ${json.Message}`;
    shapes.NodeActed.parse(json);
    return json.Node.Drain;
  };
  const running = await submit(node, scriptedJob(["hold"]));
  await waitUntil("it runs", () => Promise.resolve(node.engine.running.length === 1));
  const drain = await act({ Action: "drain", Message: "new kernel", DeadlineMs: 60_000 });
  deepEqual([drain.State, drain.Reason, drain.DeadlineLeftMs > 50_000], ["draining", "new kernel", true]);
  node.engine.endAll();
  await ended(node, running);
  await waitUntil(
    "it is empty",
    async () => (await node.ask("GET", path)).json.Node.Drain.State === "drained",
  );
  equal((await act({ action: "cordon" })).State, "cordoned");
  const waiting = await submit(node, scriptedJob());
  await waitUntil(
    "it waits",
    async () =>
      (await node.ask("GET", `/orchestrator/jobs/${waiting}`)).json.Job.State.Message.includes(
        "takes nothing new",
      ),
  );
  equal(await act({ Action: "uncordon" }), undefined);
  equal((await ended(node, waiting)).State.StateType, "Completed");
  match(
    await act({ Action: "drain", DeadlineMs: "soon" }),
    /^400 .*DeadlineMs must be whole milliseconds, or -1/,
  );
  match(await act({ Action: "explode" }), /^400 .*Action must be one of drain, cordon, uncordon/);
  equal((await node.ask("PUT", "/orchestrator/nodes/n-nothing", { body: { Action: "drain" } })).status, 404);
});

Deno.test("a namespace is set up, changed, bounds its jobs, and is deleted", async () => {
  await using node = await startHttpNode();
  const path = "/orchestrator/namespaces/team-a";
  equal((await node.ask("GET", path)).status, 404);
  const set = async (body: Record<string, unknown>) => {
    const { status, json } = await node.ask("PUT", path, { body });
    if (status !== 200) return `${status} ${json.Message}`;
    shapes.NamespaceAnswer.parse(json);
    return json.Namespace;
  };
  const bounds = {
    Weight: 2,
    Defaults: { CPU: "100m" },
    Maxima: { CPU: 1 },
    Quota: { GPU: 0, Memory: "1GB" },
  };
  const made = await set(bounds);
  deepEqual([made.Weight, made.Defaults, made.Maxima, made.Quota], [
    2,
    { CPU: 0.1 },
    { CPU: 1 },
    { Memory: 1e9, GPU: 0 },
  ]);
  const id = await submit(node, scriptedJob(["hold"], { Namespace: "team-a" }));
  const large = scriptedJob(["hold"], { Namespace: "team-a" });
  const refused = await node.ask("PUT", "/orchestrator/jobs", {
    body: {
      Job: {
        ...large,
        Tasks: [{ ...(large.Tasks as Record<string, unknown>[])[0], Resources: { CPU: "2" } }],
      },
    },
  });
  deepEqual([refused.status, refused.json.Details.code], [400, "invalid"]);
  await waitUntil("it runs", () => Promise.resolve(node.engine.running.length === 1));
  const { json } = await node.ask("GET", "/orchestrator/namespaces");
  shapes.Namespaces.parse(json);
  const [{ Held, Jobs }] = json.Items;
  deepEqual([json.Items.length, Held.CPU, Jobs], [1, 0.1, 1]);
  deepEqual((await set({ quota: { memory: null }, MaxJobs: 1 })).Quota, { GPU: 0 });
  const late = await node.ask("PUT", "/orchestrator/jobs", { body: { Job: large } });
  deepEqual([late.status, late.json.Details.code], [429, "exhausted"]);
  match(await set({ Weight: 0 }), /^400 .*Weight must be from 0.01 to 1000, current value is 0/);
  match(await set({ Quota: { CPU: "many" } }), /^400 .*Quota.CPU must be an amount/);
  match(
    await set({ Quota: { Mem: "1GB" } }),
    /^400 .*Quota must name amounts of CPU, Memory, Disk, GPU.*Mem/,
  );
  match(await set({ Defaults: { CPU: 2 } }), /^400 .*a default must be at most the maximum/);
  deepEqual((await node.ask("DELETE", path)).json, { Success: true });
  equal((await node.ask("DELETE", path)).status, 404);
  equal((await node.ask("GET", path)).json.Namespace.ModifiedAt, undefined, "it is in use still");
  node.engine.endAll();
  await ended(node, id);
});

Deno.test("nodes and the agent tell of themselves, with the age of what they tell", async () => {
  await using node = await startHttpNode();
  const { json } = await waitUntil("the node has joined", async () => {
    const answer = await node.ask("GET", "/orchestrator/nodes?limit=10&order_by=available_cpu&reverse=true");
    return answer.json.Nodes[0]?.Info.NodeType === "Compute" ? answer : undefined;
  });
  shapes.Nodes.parse(json);
  equal(json.Nodes.length, 1);
  const [only] = json.Nodes;
  deepEqual([only.Membership, only.Connection, only.ConnectionState.DisconnectedSince], [
    "APPROVED",
    "CONNECTED",
    "0001-01-01T00:00:00Z",
  ]);
  equal(only.Info.ComputeNodeInfo.MaxCapacity.CPU, 4);
  const one = await node.ask("GET", `/orchestrator/nodes/${only.Info.NodeID.slice(0, 10)}`);
  shapes.NodeAnswer.parse(one.json);
  const count = async (query: string) =>
    (await node.ask("GET", `/orchestrator/nodes?${query}`)).json.Nodes.length;
  equal(await count("labels=zone=a"), 1);
  equal(await count("labels=zone=b"), 0);
  equal(await count("filter-status=connected&filter-approval=approved"), 1);
  equal(await count("filter-status=DISCONNECTED"), 0);
  const nonsense = await node.ask("GET", "/orchestrator/nodes?filter-status=nonsense");
  equal(nonsense.status, 400);
  match(nonsense.json.Message, /"filter-status" must be one of connected, disconnected/);
  shapes.NodeInfo.parse((await node.ask("GET", "/agent/node")).json);
  shapes.Version.parse((await node.ask("GET", "/agent/version")).json);
  shapes.Alive.parse((await node.ask("GET", "/agent/alive")).json);
  shapes.AuthConfig.parse((await node.ask("GET", "/agent/authconfig")).json);
  shapes.Debug.parse((await node.ask("GET", "/agent/debug")).json);
  deepEqual((await node.ask("GET", "/agent/config")).json, {
    config: { api: { listen: "127.0.0.1", token: "********" } },
  });
});

Deno.test("an orchestrator without an agent lists itself as the requester", async () => {
  await using node = await startHttpNode({ hasAgent: false });
  const { json } = await node.ask("GET", "/orchestrator/nodes");
  shapes.Nodes.parse(json);
  deepEqual(json.Nodes.map(({ Info }: { Info: { NodeType: string } }) => Info.NodeType), ["Requester"]);
  shapes.NodeAnswer.parse((await node.ask("GET", `/orchestrator/nodes/${json.Nodes[0].Info.NodeID}`)).json);
  shapes.NodeInfo.parse((await node.ask("GET", "/agent/node")).json);
  const waiting = scriptedJob([], { Name: "w" }) as { Tasks: Record<string, unknown>[] };
  waiting.Tasks[0]!.Timeouts = { QueueTimeout: 60 };
  const job = await submit(node, waiting);
  const { json: logs } = await node.ask("GET", `/orchestrator/jobs/${job}/logs`);
  equal(logs.Details.code, "bad_request");
});

interface Frame {
  readonly value?: { Type: number; Line: string; PartitionIndex: number };
  readonly error?: string;
  readonly code?: string;
  readonly hint?: string;
}

/** Every frame of a log socket, and how it was closed. */
function logs(
  node: HttpNode,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ frames: Frame[]; code: number }> {
  const socket = new WebSocket(`${node.url.replace("http", "ws")}/api/v1${path}`, { headers } as never);
  const frames: Frame[] = [];
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => void frames.push(JSON.parse(data));
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = ({ code }) => resolve({ frames, code });
  });
}

const linesOf = (frames: readonly Frame[]) => frames.map(({ value }) => `${value?.Type} ${value?.Line}`);

Deno.test("logs: past, live, by partition, and errors, over a websocket", async () => {
  await using node = await startHttpNode();
  const id = await submit(node, scriptedJob([], { Count: 2 }));
  await ended(node, id);
  const past = await logs(node, `/orchestrator/jobs/${id}/logs`);
  equal(past.code, 1000);
  deepEqual(linesOf(past.frames).sort(), ["1 hello 0\n", "1 hello 1\n", "2 careful\n", "2 careful\n"]);
  const second = await logs(node, `/orchestrator/jobs/${id}/logs?partition=1&tail=1`);
  deepEqual(second.frames.map(({ value }) => value?.PartitionIndex), [1]);

  const live = await submit(node, scriptedJob(["hold"]));
  const following = logs(node, `/orchestrator/jobs/${live}/logs?follow=true`);
  const [execution] = await waitUntil(
    "the task runs",
    () => node.engine.running.length === 1 ? node.engine.running : undefined,
  );
  node.engine.print(execution!, "stdout", "more\n");
  await waitUntil(
    "the socket is open",
    async () => (await node.ask("GET", "/agent/debug")).json.api.LogSockets === 1,
  );
  node.engine.endAll();
  const { frames, code } = await following;
  equal(code, 1000);
  equal(
    frames.filter(({ value }) => value?.Type === 1).map(({ value }) => value?.Line).join(""),
    "hello 0\nmore\n",
  );

  const missing = await logs(node, "/orchestrator/jobs/nothing/logs?follow=true");
  equal(missing.frames.length, 1);
  match(missing.frames[0]?.error ?? "", /not found/);
  deepEqual([missing.frames[0]?.code, typeof missing.frames[0]?.hint], ["not_found", "string"]);
  const other = await logs(node, `/orchestrator/jobs/${live}/logs?partition=7`);
  match(other.frames[0]?.error ?? "", /Cannot find partition 7/);
  const foreign = await logs(node, `/orchestrator/jobs/${live}/logs`, { origin: "http://evil.example" });
  deepEqual(foreign.frames, []);
  await waitUntil(
    "all sockets are closed",
    async () => (await node.ask("GET", "/agent/debug")).json.api.LogSockets === 0,
  );
  deepEqual(node.errors, []);
});

Deno.test("results are an archive with the same bytes each time, also of a failed job", async () => {
  await using node = await startHttpNode();
  const id = await submit(node, scriptedJob(["exit", "3"], { Retry: { Attempts: 0 } }));
  const job = await ended(node, id);
  equal(job.State.StateType, "Failed");
  const { json } = await node.ask("GET", `/orchestrator/jobs/${id}/results`);
  const url: string = json.Items[0].Params.URL;
  const fetchBytes = async () => new Uint8Array(await (await fetch(url)).arrayBuffer());
  const bytes = await fetchBytes();
  deepEqual(await fetchBytes(), bytes);
  const { unpackTar } = await import("modern-tar");
  const gunzip = new Response(bytes).body!.pipeThrough(new DecompressionStream("gzip"));
  const entries = await unpackTar(gunzip);
  const files = entries.map(({ header, data }) => `${header.name} ${new TextDecoder().decode(data)}`.trim());
  deepEqual(files, ["exitCode 3", "out/", "out/a.txt result", "stderr careful", "stdout hello 0"]);
  const wrong = await node.ask("GET", "/orchestrator/results/e-nothing.tar.gz");
  equal(wrong.status, 404);
  equal((await node.ask("GET", "/orchestrator/results/..%2F..%2Fetc")).status, 404);
});

Deno.test("the auth challenge: one method, a token for a true signature, 401 for a false one", async () => {
  await using node = await startHttpNode({ hasAgent: false });
  const { json } = await node.ask("GET", "/auth");
  shapes.AuthMethods.parse(json);
  deepEqual(Object.keys(json.Methods), ["ClientKey"]);
  const phrase = Buffer.from(json.Methods.ClientKey.params.InputPhrase, "base64");
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const answer = (signed: Uint8Array) => ({
    Name: "ClientKey",
    MethodData: btoa(JSON.stringify({
      PhraseSignature: createSign("RSA-SHA256").update(signed).sign(privateKey).toString("base64"),
      PublicKey: publicKey.export({ type: "pkcs1", format: "der" }).toString("base64"),
    })),
  });
  const good = await node.ask("POST", "/auth/ClientKey", { body: answer(phrase) });
  equal(good.status, 200);
  shapes.Authenticated.parse(good.json);
  ok(good.json.Authentication.token);
  const bad = await node.ask("POST", "/auth/ClientKey", { body: answer(new Uint8Array(8)) });
  deepEqual([bad.status, bad.json.Authentication.success, bad.json.Authentication.token], [401, false, ""]);
  equal((await node.ask("POST", "/auth/ClientKey", { body: { MethodData: "%%%" } })).status, 401);
  equal((await node.ask("GET", "/auth/other")).status, 404);
  const headers = { authorization: `Bearer ${good.json.Authentication.token}` };
  equal((await node.ask("GET", "/orchestrator/jobs", { headers })).status, 200);
});

Deno.test("a diff tells what a submission would change", async () => {
  await using node = await startHttpNode();
  const diff = async (job: object) =>
    (await node.ask("PUT", "/orchestrator/jobs/diff", { body: { Job: job } })).json;
  const fresh = await diff(scriptedJob([], { Name: "etl" }));
  shapes.Diff.parse(fresh);
  match(fresh.Diff, /^\+ \{\n\+ {3}"Name": "etl",\n/);
  await submit(node, scriptedJob([], { Name: "etl" }));
  equal((await diff(scriptedJob([], { Name: "etl" }))).Diff, "");
  match(
    (await diff(scriptedJob([], { Name: "etl", Priority: 7 }))).Diff,
    /\n- {3}"Priority": 0,\n\+ {3}"Priority": 7,\n/,
  );
  equal((await diff(scriptedJob())).Details.code, "invalid");
});

Deno.test("the same token gives the same job; the same name without changes is told", async () => {
  await using node = await startHttpNode();
  const put = (body: object) => node.ask("PUT", "/orchestrator/jobs", { body });
  const first = await put({ idempotencyToken: "t-1", Job: scriptedJob() });
  const second = await put({ IdempotencyToken: "t-1", Job: scriptedJob() });
  equal(second.json.JobID, first.json.JobID);
  const other = await put({ IdempotencyToken: "t-1", Job: scriptedJob([], { Priority: 3 }) });
  equal(other.json.Details.code, "conflict");
  const odd = await put({ IdempotencyToken: 5, Job: scriptedJob() });
  equal(odd.json.Details.code, "invalid");
  equal((await node.ask("POST", "/orchestrator/jobs", { body: { job: scriptedJob() } })).status, 200);
});

/** Requests that are refused: status, Bacalhau's code, our code, and the message. */
const REFUSED: readonly {
  readonly what: string;
  readonly ask: readonly [
    method: string,
    path: string,
    options?: { body?: unknown; headers?: Record<string, string> },
  ];
  readonly is: readonly [status: number, wireCode: string, code: string, message: RegExp];
}[] = [
  {
    what: "an unknown path",
    ask: ["GET", "/nothing"],
    is: [404, "NotFound", "not_found", /^The requested resource\/URL was not found\.$/],
  },
  {
    what: "an unknown method",
    ask: ["PATCH", "/orchestrator/jobs"],
    is: [405, "BadRequest", "wrong_method", /^Cannot PATCH this: the method must be PUT or POST or GET$/],
  },
  {
    what: "no content type",
    ask: ["PUT", "/orchestrator/jobs", { body: "{}", headers: { "content-type": "text/plain" } }],
    is: [
      400,
      "BadRequest",
      "bad_request",
      /Content-Type must be application\/json, current value is "text\/plain"/,
    ],
  },
  {
    what: "broken JSON",
    ask: ["PUT", "/orchestrator/jobs", { body: "{" }],
    is: [400, "BadRequest", "bad_request", /the body must be JSON: /],
  },
  {
    what: "an empty body",
    ask: ["PUT", "/orchestrator/jobs", { body: " " }],
    is: [400, "BadRequest", "bad_request", /must be a JSON object, it is empty/],
  },
  {
    what: "a list as body",
    ask: ["PUT", "/orchestrator/jobs", { body: "[]" }],
    is: [400, "BadRequest", "bad_request", /must be a JSON object, it is an empty list/],
  },
  {
    what: "no job",
    ask: ["PUT", "/orchestrator/jobs", { body: {} }],
    is: [400, "BadRequest", "bad_request", /must have a field "Job"/],
  },
  {
    what: "a bad job",
    ask: ["PUT", "/orchestrator/jobs", { body: { Job: { Tasks: [] } } }],
    is: [400, "ValidationError", "invalid", /^Cannot accept the job: Tasks must be a list with one task/],
  },
  {
    what: "an unknown job",
    ask: ["GET", "/orchestrator/jobs/nothing"],
    is: [404, "NotFound", "not_found", /not found: nothing/],
  },
  {
    what: "an unknown order",
    ask: ["GET", "/orchestrator/jobs?order_by=id"],
    is: [400, "BadRequest", "bad_request", /query "order_by" must be one of created_at/],
  },
  {
    what: "an odd limit",
    ask: ["GET", "/orchestrator/jobs?limit=-1"],
    is: [400, "BadRequest", "bad_request", /query "limit" must be a whole number, current value is "-1"/],
  },
  {
    what: "an unknown state",
    ask: ["GET", "/orchestrator/jobs?state=asleep"],
    is: [400, "BadRequest", "bad_request", /query "state" must be of pending/],
  },
  {
    what: "a bad selector",
    ask: ["GET", "/orchestrator/jobs?labels=((("],
    is: [400, "BadRequest", "bad_request", /^Cannot read the selector/],
  },
  {
    what: "a bad token",
    ask: ["GET", "/orchestrator/jobs?next_token=%25"],
    is: [400, "BadRequest", "bad_request", /./],
  },
  {
    what: "an unknown node",
    ask: ["GET", "/orchestrator/nodes/n-nothing"],
    is: [404, "NotFound", "not_found", /n-nothing/],
  },
  {
    what: "logs without a websocket",
    ask: ["GET", "/orchestrator/jobs/x/logs"],
    is: [400, "BadRequest", "bad_request", /must ask for a websocket/],
  },
  {
    what: "a foreign page",
    ask: ["GET", "/agent/alive", { headers: { origin: "http://evil.example" } }],
    is: [403, "Forbidden", "forbidden", /Cannot serve the web page of "http:\/\/evil.example"/],
  },
  {
    what: "a page without a name",
    ask: ["GET", "/agent/alive", { headers: { origin: "null" } }],
    is: [403, "Forbidden", "forbidden", /"null"/],
  },
  {
    what: "an image of a foreign page",
    ask: ["GET", "/agent/alive", {
      headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
    }],
    is: [403, "Forbidden", "forbidden", /another site/],
  },
];

Deno.test("every refusal has the same envelope", async (t) => {
  await using node = await startHttpNode({ hasAgent: false });
  for (const { what, ask, is } of REFUSED) {
    await t.step(what, async () => {
      const { status, json, headers } = await node.ask(...ask);
      shapes.ErrorEnvelope.parse(json);
      deepEqual([status, json.Status, json.Code, json.Details.code], [is[0], is[0], is[1], is[2]]);
      match(json.Message, is[3]);
      equal(json.RequestID, headers.get("x-request-id"));
    });
  }
});

Deno.test("a body beyond the limit is answered, with and without its length told", async () => {
  await using node = await startHttpNode({ hasAgent: false });
  const body = `{"Job":"${"x".repeat(LIMITS.httpBodyBytes)}"}`;
  const told = await node.ask("PUT", "/orchestrator/jobs", { body });
  deepEqual([told.status, told.json.Details.code], [413, "too_large"]);
  const stream = new Blob([body]).stream();
  const streamed = await fetch(`${node.url}/api/v1/orchestrator/jobs`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: stream,
  });
  deepEqual([streamed.status, (await streamed.json()).Details.code], [413, "too_large"]);
});

Deno.test("headers, redirects, indentation and the version gate are Bacalhau's", async () => {
  await using node = await startHttpNode({ hasAgent: false });
  const alive = await node.ask("GET", "/agent/alive?pretty", { headers: { "x-request-id": "mine-1" } });
  equal(alive.text, '{\n  "Status": "OK"\n}\n');
  deepEqual(
    ["git-version", "git-commit", "build-date", "build-os", "arch"].map((name) =>
      alive.headers.get(`x-bacalhau-${name}`)
    ),
    ["v1.9.3", "c0ffee", "2025-01-01T00:00:00Z", "linux", "amd64"],
  );
  equal(alive.headers.get("x-request-id"), "mine-1");
  equal(alive.headers.get("access-control-allow-origin"), null);
  for (const path of ["/", "/version", "/livez"]) {
    const { status, headers } = await node.ask("GET", `${node.url}${path}`);
    equal(status, 301);
    match(headers.get("location") ?? "", /^\/api\/v1\/agent\/(version|alive)$/);
  }
  const by = (version: string) =>
    node.ask("GET", "/agent/alive", { headers: { "x-bacalhau-git-version": version } });
  for (const fine of ["v1.9.3", "v1.4.0", "v0.0.0", "v0.0.0-xxxxxxx", "v2.0.0-rc1"]) {
    equal((await by(fine)).status, 200, fine);
  }
  const old = await by("v1.3.9");
  deepEqual([old.status, Object.keys(old.json)], [403, [
    "Error",
    "MinVersion",
    "ClientVersion",
    "ServerVersion",
  ]]);
  const odd = await by("banana");
  deepEqual([odd.status, Object.keys(odd.json)], [400, ["Error"]]);
  const own = await node.ask("GET", "/agent/alive", { headers: { origin: node.url } });
  equal(own.status, 200);
});

Deno.test("the document that is served is the one in docs", async () => {
  await using node = await startHttpNode({ hasAgent: false });
  const { json } = await node.ask("GET", "/openapi.json");
  equal(json.openapi, "3.1.0");
  const written = JSON.parse(await Deno.readTextFile(new URL("../../docs/openapi.json", import.meta.url)));
  deepEqual(Object.keys(json.paths), Object.keys(written.paths));
});
