import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../../shared/errors.ts";
import { decodeBody, encodeBody } from "../../shared/ledger/body.ts";
import { decodeAnswer, decodeMessage, encodeAnswer, encodeMessage } from "../../shared/wire/envelope.ts";
import { SyncMessage } from "../../shared/wire/messages.ts";

const text = fc.string({ unit: "binary", maxLength: 20 });
const mark = fc.record({ epoch: fc.nat(), seq: fc.nat(), hash: text });
const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)));
const between = { from: text, to: text };
const lane = fc.constantFrom("state" as const, "history" as const);
const message: fc.Arbitrary<unknown> = fc.oneof(
  fc.record({ type: fc.constant("ack"), ...between, lane, applied: mark }),
  fc.record({
    type: fc.constant("batch"),
    ...between,
    ...{ lane, prev: mark, last: mark },
    entries: fc.array(
      fc.record({ seq: fc.integer({ min: 1 }), kind: text, about: text, ageMs: fc.nat(), body: json }),
      { maxLength: 4 },
    ),
  }),
  fc.record({
    type: fc.constant("hello"),
    ...between,
    applied: fc.record({ state: mark, history: mark }),
    own: fc.record({ state: mark, history: mark }),
    wantsAnswer: fc.boolean(),
  }),
);

Deno.test("a message of sync decodes to what was encoded", () => {
  fc.assert(
    fc.property(
      message,
      (it) => assert.deepEqual(decodeMessage(SyncMessage, encodeMessage(it)), JSON.parse(JSON.stringify(it))),
    ),
  );
});

Deno.test("bytes that are no message are refused, whatever they are", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.throws(
      () => decodeMessage(SyncMessage, bytes),
      (error) => error instanceof AppError && error.code === "bad_request",
    );
  }));
});

Deno.test("an answer decodes to what was encoded: value and raw bytes", () => {
  fc.assert(fc.property(json, fc.uint8Array({ maxLength: 2_000 }), (value, bytes) => {
    const decoded = decodeAnswer(encodeAnswer({ value, bytes }));
    assert.deepEqual(decoded.value, value);
    assert.deepEqual(new Uint8Array(decoded.bytes), bytes);
  }));
});

Deno.test("an answer that is an error is thrown as it was", () => {
  fc.assert(
    fc.property(fc.constantFrom("not_found", "disk_full", "timed_out"), text, text, (code, words, hint) => {
      assert.throws(
        () => decodeAnswer(encodeAnswer({ error: { code, message: words, hint } })),
        (error) =>
          error instanceof AppError && error.code === code && error.message === words && error.hint === hint,
      );
    }),
  );
});

Deno.test("a stored body decodes to what was encoded", () => {
  fc.assert(fc.property(json, (value) => assert.deepEqual(decodeBody(encodeBody(value)), value)));
});

Deno.test("a stored body with one character changed is refused", () => {
  fc.assert(fc.property(json, fc.nat(), fc.integer({ min: 1, max: 0x7f }), (value, at, change) => {
    const body = encodeBody(value);
    const place = at % body.length;
    const broken = body.slice(0, place) + String.fromCharCode(body.charCodeAt(place) ^ change) +
      body.slice(place + 1);
    assert.throws(() => decodeBody(broken), (error) => error instanceof AppError && error.code === "store");
  }));
});
