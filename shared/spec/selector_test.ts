import { deepEqual, throws } from "node:assert/strict";
import { formatConstraint } from "../model/constraint.ts";
import { parseSelector } from "./selector.ts";

const read = (text: string) => parseSelector(text).map(formatConstraint);

Deno.test("parseSelector() reads every form", () => {
  deepEqual(read("a=1,b==2, c!=3"), ["a=1", "b==2", "c!=3"]);
  deepEqual(read("tier in (a, b),zone notin (c),x,!y"), ["tier in (a,b)", "zone notin (c)", "x", "!y"]);
  deepEqual(read("cores>4,age<-2"), ["cores>4", "age<-2"]);
  deepEqual(read("bacalhau_canary != true"), ["bacalhau_canary!=true"]);
  deepEqual(read("  "), []);
});

for (const bad of ["a=1,,b", "=1", "a in b", "a>x", "a b", "(", `${"a,".repeat(80)}a`]) {
  Deno.test(`parseSelector() refuses ${JSON.stringify(bad.slice(0, 20))}`, () => {
    throws(() => parseSelector(bad), { name: "AppError", code: "bad_request" });
  });
}
