import { deepEqual, equal, rejects } from "node:assert/strict";
import type { Clock } from "../../shared/clock.ts";
import { systemClock } from "../../shared/clock.ts";
import { fieldOf, readObject } from "./body.ts";

const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };

const put = (body: BodyInit | null, headers: Record<string, string> = JSON_TYPE) =>
  new Request("http://localhost/", { method: "PUT", body, headers });

Deno.test("readObject() reads JSON, and nothing where nothing is needed", async () => {
  deepEqual(await readObject(put('{"a":"ü"}'), { clock: systemClock }), { a: "ü" });
  deepEqual(await readObject(put(null, {}), { clock: systemClock, isOptional: true }), {});
  deepEqual(await readObject(put(null), { clock: systemClock, isOptional: true }), {});
});

for (
  const [what, body] of [["a list", "[]"], ["null", "null"], ["text", "a"], [
    "no UTF-8",
    new Uint8Array([0x7b, 0xff]),
  ]] as const
) {
  Deno.test(`readObject() refuses ${what}`, async () => {
    await rejects(readObject(put(body), { clock: systemClock }), { code: "bad_request" });
  });
}

Deno.test("readObject() refuses another content type, also where the body is optional", async () => {
  const headers = { "content-type": "text/plain" };
  await rejects(readObject(put("{}", headers), { clock: systemClock, isOptional: true }), {
    code: "bad_request",
  });
  await rejects(readObject(put("{}", { "content-type": "application/jsonx" }), { clock: systemClock }), {
    code: "bad_request",
  });
});

Deno.test("readObject() gives a body up that does not arrive", async () => {
  let expire = () => {};
  const clock: Clock = { ...systemClock, after: (_delayMs, call) => (expire = call, () => {}) };
  const stuck = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
  });
  const reading = readObject(put(stuck), { clock });
  await new Promise((resolve) => setTimeout(resolve));
  expire();
  await rejects(reading, { code: "timed_out" });
});

Deno.test("fieldOf() finds a field in any casing, its own first", () => {
  equal(fieldOf({ job: 1, Job: 2 }, "Job"), 2);
  equal(fieldOf({ jOB: 1 }, "Job"), 1);
  equal(fieldOf({}, "constructor"), undefined);
});
