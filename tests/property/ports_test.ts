/** Laws of ports: one execution at a time, all that was asked for or nothing, and free again at the end. */
import { ok } from "node:assert/strict";
import fc from "fast-check";
import { Ports } from "../../agent/core/ports.ts";
import type { Port, PortWish } from "../../shared/model/port.ts";

const POLICY = { first: 2000, last: 2009, address: "127.0.0.1" };
/** No port is named twice: the job spec sees to that. */
const isOnce = (list: readonly PortWish[]) => {
  const named = list.flatMap(({ hostPort }) => hostPort ?? []);
  return new Set(named).size === named.length;
};
const wishes = fc.array(
  fc.record({ hostPort: fc.option(fc.integer({ min: 2000, max: 2012 }), { nil: undefined }) }),
  {
    maxLength: 4,
  },
).map((list): PortWish[] => list.map(({ hostPort }, at) => ({ name: `p${at}`, hostPort }))).filter(isOnce);
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("start" as const), id: fc.nat(20), wishes }),
    fc.record({ kind: fc.constant("end" as const), id: fc.nat(20) }),
    fc.record({ kind: fc.constant("restart" as const) }),
  ),
  { maxLength: 60 },
);

Deno.test("a port has one execution at a time, whatever starts, ends and restarts", () => {
  fc.assert(fc.property(steps, fc.array(fc.integer({ min: 2000, max: 2012 })), (all, others) => {
    const isFree = ({ port }: { port: number }) => !others.includes(port);
    let ports = new Ports(POLICY, isFree);
    const held = new Map<string, readonly Port[]>();
    for (const step of all) {
      if (step.kind === "restart") {
        ports = new Ports(POLICY, isFree);
        for (const [id, own] of held) ports.hold(id, own);
      } else if (step.kind === "end") {
        ports.release(`e-${step.id}`);
        held.delete(`e-${step.id}`);
      } else if (!held.has(`e-${step.id}`)) {
        const taken = new Set([...held.values()].flat().map(({ hostPort }) => hostPort));
        const answer = ports.allocate(`e-${step.id}`, { type: "bridge", domains: [], ports: step.wishes });
        if ("code" in answer) {
          const named = step.wishes.flatMap(({ hostPort }) => hostPort ?? []);
          const isNamedTaken = named.some((port) => taken.has(port) || !isFree({ port }));
          const free = [...Array(10).keys()].map((at) => 2000 + at).filter((port) =>
            !taken.has(port) && isFree({ port })
          );
          ok(isNamedTaken || free.length < step.wishes.length + named.length, "refused without a reason");
          continue;
        }
        const given = answer.map(({ hostPort }) => hostPort);
        ok(new Set(given).size === step.wishes.length, "each of its ports is another");
        ok(given.every((port) => !taken.has(port) && isFree({ port })), "a port was given twice");
        ok(
          step.wishes.every(({ hostPort }, at) => hostPort === undefined || given[at] === hostPort),
          "as asked",
        );
        held.set(`e-${step.id}`, answer);
      }
    }
    for (const id of held.keys()) ports.release(id);
    const last = ports.allocate("e-last", {
      type: "host",
      domains: [],
      ports: Array(10).fill({ name: "p" }),
    });
    const freeCount = 10 - new Set(others.filter((port) => port <= POLICY.last)).size;
    ok(("code" in last) === (freeCount < 10), "what ended has left something behind");
  }));
});
