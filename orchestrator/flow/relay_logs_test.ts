import assert from "node:assert/strict";
import type { Bus } from "../../shared/bus/bus.ts";
import type { Execution } from "../../shared/model/execution.ts";
import { decodeMessage, encodeAnswer } from "../../shared/wire/envelope.ts";
import { LogRequest } from "../../shared/wire/messages.ts";
import { readLogs } from "./relay_logs.ts";

const execution = { id: "e-1", nodeId: "n-1" } as Execution;

/** An agent that answers at once; time goes by only while the reader pauses. */
function anAgent(answer: (request: { cursor: string; waitMs: number }, nowMs: number) => object) {
  let nowMs = 0;
  let askedCount = 0;
  const bus = {
    request(_subject: string, bytes: Uint8Array) {
      assert.ok(++askedCount < 1_000, "it asks again and again");
      return Promise.resolve(encodeAnswer({ value: answer(decodeMessage(LogRequest, bytes), nowMs) }));
    },
  } as unknown as Bus;
  const clock = {
    wallMs: () => 0,
    uptimeMs: () => nowMs,
    after(delayMs: number, call: () => void) {
      nowMs += delayMs;
      queueMicrotask(call);
      return () => {};
    },
  };
  return { bus, clock, asked: () => askedCount };
}

const piece = (text: string) => ({ stream: "stdout" as const, text, atMs: 0 });

Deno.test("a follower whose question is not held does not ask again at once", async () => {
  const { bus, clock, asked } = anAgent(({ cursor }, nowMs) =>
    nowMs < 60_000
      ? { pieces: [], cursor, isComplete: false }
      : { pieces: [piece("done\n")], cursor: "1", isComplete: true }
  );
  const { signal } = new AbortController();
  const got: string[] = [];
  for await (const { text } of readLogs({ bus, clock, execution, query: { isFollowing: true }, signal })) {
    got.push(text);
  }
  assert.deepEqual(got, ["done\n"]);
  assert.ok(asked() <= 62, `${asked()} questions within a minute`);
});

Deno.test("the last lines are told first, then what follows", async () => {
  const { bus, clock } = anAgent(({ cursor, waitMs }) => {
    const at = Number(cursor);
    if (at < 100) return { pieces: [piece(`line ${at}\n`)], cursor: String(at + 1), isComplete: false };
    return waitMs === 0
      ? { pieces: [], cursor, isComplete: false }
      : { pieces: [piece("more\n")], cursor: "101", isComplete: true };
  });
  const { signal } = new AbortController();
  const query = { isFollowing: true, tailLines: 2 };
  const got: string[] = [];
  for await (const { text } of readLogs({ bus, clock, execution, query, signal })) got.push(text);
  assert.deepEqual(got, ["line 98\n", "line 99\n", "more\n"]);
});
