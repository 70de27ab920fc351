import assert from "node:assert/strict";
import { openClient } from "./client.ts";
import { openSettings } from "./config.ts";
import { findResults } from "./result_find.ts";
import { readJob } from "./wire.ts";

Deno.test("findResults() reads every page, and says what has none", async () => {
  const result = (PartitionIndex: number) => ({
    ...{ Type: "urlDownload", ExecutionID: `e-${PartitionIndex}`, PartitionIndex },
    Params: { URL: `http://127.0.0.1:1234/${PartitionIndex}.tar.gz` },
  });
  const pages: Record<string, unknown> = {
    "": { Items: [result(0), result(1)], NextToken: "2" },
    "2": { Items: [result(2)], NextToken: "" },
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname, searchParams } = new URL(request.url);
    return Response.json(pathname.endsWith("/results") ? pages[searchParams.get("next_token") ?? ""] : {});
  });
  try {
    const api = [`http://127.0.0.1:${server.addr.port}`];
    const client = await openClient(openSettings({ path: "/dev/null", flags: { api } }));
    const job = readJob({ ID: "j-1", Count: 4, State: { StateType: "Stopped" } });
    const { results, gaps } = await findResults(client, job, { wanted: "" });
    assert.deepEqual(results.map(({ partition }) => partition), [0, 1, 2]);
    assert.deepEqual(gaps, ["No results of partition 3: it was never placed"]);
    const one = await findResults(client, job, { wanted: "", partition: 2 });
    assert.deepEqual([one.results.length, one.gaps], [1, []]);
  } finally {
    await server.shutdown();
  }
});
