import { deepStrictEqual as assertEquals, match as assertMatch, ok as assert } from "node:assert";
import type { Task } from "../../shared/model/job.ts";
import type { Port } from "../../shared/model/port.ts";
import type { Failure } from "./outcome.ts";
import { type IsFree, Ports, PORTS_DEFAULT } from "./ports.ts";

const POLICY = { first: 20_000, last: 20_002, address: "127.0.0.1" };
const bridge = (...ports: NonNullable<Task["network"]["ports"]>): Task["network"] => ({
  type: "bridge",
  domains: [],
  ports,
});
const open = (policy = POLICY, isFree: IsFree = () => true) => new Ports(policy, isFree);
const refusal = (answer: readonly Port[] | Failure): string => "message" in answer ? answer.message : "none";
const numbers = (answer: readonly Port[] | Failure): number[] =>
  "message" in answer ? [] : answer.map(({ hostPort }) => hostPort);

Deno.test("a port is what the task names, else one of the range; inside it is the same unless it says another", () => {
  const ports = open();
  assertEquals(ports.allocate("e-1", bridge({ name: "a", hostPort: 8080, targetPort: 80 }, { name: "b" })), [
    { name: "a", hostAddress: "127.0.0.1", hostPort: 8080, targetPort: 80 },
    { name: "b", hostAddress: "127.0.0.1", hostPort: 20_000, targetPort: 20_000 },
  ]);
  assertEquals(ports.allocate("e-2", { ...bridge({ name: "a" }), type: "host" }), [
    { name: "a", hostAddress: "127.0.0.1", hostPort: 20_001 },
  ]);
  assertEquals(ports.allocate("e-3", { type: "bridge", domains: [] }), []);
});

Deno.test("a port has one execution at a time, and rests before it is given again", () => {
  const ports = open();
  assertEquals(numbers(ports.allocate("e-1", bridge({ name: "a" }))), [20_000]);
  ports.release("e-1");
  ports.release("e-1");
  assertEquals(numbers(ports.allocate("e-2", bridge({ name: "a" }))), [20_001]);
  ports.hold("e-old", [{ name: "a", hostPort: 20_002, hostAddress: "127.0.0.1" }]);
  assertEquals(numbers(ports.allocate("e-3", bridge({ name: "a" }))), [20_000]);
  assertMatch(refusal(ports.allocate("e-4", bridge({ name: "a" }))), /no port left between 20000 and 20002/);
  assertMatch(
    refusal(ports.allocate("e-4", bridge({ name: "a", hostPort: 20_001 }))),
    /20001 .* execution e-2/,
  );
});

Deno.test("an execution gets all of its ports or none", () => {
  const ports = open();
  ports.allocate("e-1", bridge({ name: "a", hostPort: 9000 }));
  assertMatch(refusal(ports.allocate("e-2", bridge({ name: "a" }, { name: "b", hostPort: 9000 }))), /9000/);
  assertEquals(numbers(ports.allocate("e-3", bridge({ name: "a" }, { name: "b" }, { name: "c" }))).length, 3);
});

Deno.test("what another program has is not given", () => {
  const ports = open(POLICY, ({ port }) => port !== 20_000 && port !== 8080);
  assertEquals(numbers(ports.allocate("e-1", bridge({ name: "a" }))), [20_001]);
  assertMatch(refusal(ports.allocate("e-2", bridge({ name: "a", hostPort: 8080 }))), /another program/);
});

Deno.test("the owner says on which addresses ports listen", () => {
  const answers = (address: string, asked: string) =>
    refusal(open({ ...POLICY, address }).allocate("e-1", bridge({ name: "a", hostAddress: asked })));
  assertEquals(PORTS_DEFAULT.address, "127.0.0.1");
  for (const asked of ["0.0.0.0", "::", "192.0.2.1"]) {
    assertMatch(answers("127.0.0.1", asked), /does not open ports on/);
  }
  for (const asked of ["127.0.0.1", "127.0.0.2", "::1"]) assertEquals(answers("192.0.2.1", asked), "none");
  for (const own of ["0.0.0.0", "::"]) assertEquals(answers(own, "192.0.2.1"), "none");
  assertEquals(answers("192.0.2.1", "192.0.2.1"), "none");
  assert(
    refusal(
      open({ ...POLICY, address: "192.0.2.1" }).allocate(
        "e-1",
        bridge({ name: "a", hostAddress: "0.0.0.0" }),
      ),
    ) !== "none",
  );
});
