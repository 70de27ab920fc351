/** Whatever is asked, the answer is an answer: never an internal error, always one of the known shapes. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import * as shapes from "../../orchestrator/http/shapes.ts";
import { scriptedJob, startHttpNode } from "./http_node.ts";

const strange = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom(
    "",
    "0",
    "-1",
    "1e9",
    "true",
    "*",
    "..",
    "%",
    "e-",
    "j-",
    "null",
    "__proto__",
    "constructor",
    "a b",
    "☃",
  ),
);
const PATHS = [
  "jobs",
  "jobs/#",
  "jobs/#/history",
  "jobs/#/executions",
  "jobs/#/results",
  "jobs/#/versions",
  "nodes",
  "nodes/#",
  "executions/#",
  "results/#",
  "jobs/#/logs",
  "#",
];
const QUERIES = [
  "namespace",
  "limit",
  "next_token",
  "order_by",
  "reverse",
  "labels",
  "state",
  "include",
  "job_version",
  "since",
  "event_type",
  "execution_id",
  "wait",
  "filter-status",
  "all_job_versions",
  "pretty",
  "__proto__",
];

Deno.test("reading anything by anything is answered", async () => {
  await using node = await startHttpNode({ hasAgent: false });
  await node.ask("PUT", "/orchestrator/jobs", { body: { Job: scriptedJob([], { Name: "known" }) } });
  const query = fc.dictionary(fc.constantFrom(...QUERIES), strange, { maxKeys: 4 });
  const name = fc.oneof(strange, fc.constant("known"));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), name, query, async (path, id, given) => {
      const url = `/orchestrator/${
        path.replace("#", encodeURIComponent(id.toWellFormed()))
      }?${new URLSearchParams(given)}`;
      const { status, json } = await node.ask("GET", url);
      ok(status < 500, `${url}: ${status}`);
      if (status !== 200) shapes.ErrorEnvelope.parse(json);
    }),
    { numRuns: 400 },
  );
  deepEqual(node.errors, []);
});

Deno.test("writing anything is answered, and nothing odd is stored", async () => {
  await using node = await startHttpNode({ hasAgent: false });
  const anything = fc.jsonValue({ maxDepth: 4 });
  const job = fc.dictionary(fc.constantFrom("Name", "Tasks", "Type", "Count", "Meta", "Labels"), anything, {
    maxKeys: 5,
  });
  const body = fc.oneof(
    fc.string(),
    anything.map((value) => JSON.stringify(value)),
    fc.record({ Job: job, IdempotencyToken: anything }).map((value) => JSON.stringify(value)),
  );
  const method = fc.constantFrom("PUT", "POST", "DELETE");
  const path = fc.constantFrom(
    "/orchestrator/jobs",
    "/orchestrator/jobs/diff",
    "/orchestrator/jobs/x",
    "/auth/ClientKey",
  );
  await fc.assert(
    fc.asyncProperty(method, path, body, async (by, at, text) => {
      const { status, json } = await node.ask(by, at, { body: text });
      ok(status >= 400 && status < 500, `${by} ${at} ${text}: ${status}`);
      if (status !== 401) shapes.ErrorEnvelope.parse(json);
    }),
    { numRuns: 400 },
  );
  equal((await node.ask("GET", "/orchestrator/jobs")).json.Items.length, 0);
  deepEqual(node.errors, []);
});
