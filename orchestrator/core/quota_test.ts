import assert from "node:assert/strict";
import type { Namespace } from "../../shared/model/namespace.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { quotaRoom } from "./quota.ts";

const namespace: Namespace = {
  ...{ name: "a", weight: 1, defaults: {}, maxima: {}, createdAtMs: 0, modifiedAtMs: 0 },
  quota: { cpuMillis: 1000, gpuCount: 0 },
};
const cpu = (cpuMillis: number) => ({ ...NO_RESOURCES, cpuMillis });

Deno.test("the tightest dimension says how many more there is room for, and why", () => {
  assert.deepEqual(quotaRoom(undefined, { held: cpu(9), need: cpu(9) }), { count: Infinity });
  assert.equal(quotaRoom(namespace, { held: cpu(400), need: cpu(300) }).count, 2);
  const { count, refusal } = quotaRoom(namespace, { held: cpu(400), need: { ...cpu(300), gpuCount: 1 } });
  assert.deepEqual([count, refusal!.isLasting], [0, false]);
  assert.equal(refusal!.message, 'namespace "a" holds 0 of 0 GPUs of its quota, the job asks for 1');
});

Deno.test("a quota that was lowered below what is held has no room, and not less than none", () => {
  assert.equal(quotaRoom(namespace, { held: cpu(1500), need: cpu(300) }).count, 0);
});
