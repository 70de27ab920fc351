/** What every publisher promises, run on each of them. */
import assert from "node:assert/strict";
import { PublishedResult } from "../../shared/model/result.ts";
import { localPublisher } from "../../agent/publishers/local.ts";
import { type Publisher, PUBLISHES_NOTHING, type PublishRequest } from "../../agent/publishers/publisher.ts";

const PUBLISHERS: readonly Publisher[] = [localPublisher];

const request = (publisher: Publisher): PublishRequest => ({
  executionId: "e-1",
  jobId: "j-1",
  nodeId: "n-1",
  publisher: { type: publisher.type, params: {} },
  folder: "/nowhere",
  signal: new AbortController().signal,
});

for (const publisher of PUBLISHERS) {
  Deno.test(`publisher ${publisher.type}: answers a result of its own type, twice the same`, async () => {
    const result = await publisher.publish(request(publisher));
    assert.equal(PublishedResult.parse(result).type, publisher.type);
    assert.deepEqual(await publisher.publish(request(publisher)), result);
  });

  Deno.test(`publisher ${publisher.type}: its name is not one that publishes nothing`, () => {
    assert.ok(!PUBLISHES_NOTHING.has(publisher.type));
  });
}

Deno.test("publisher local: results are fetched from the node that ran the execution", async () => {
  assert.ok(localPublisher.keepsResultsHere);
  const { params } = await localPublisher.publish(request(localPublisher));
  assert.deepEqual(params, { NodeID: "n-1", ExecutionID: "e-1" });
});
