import assert from "node:assert/strict";
import { type Constraint, formatConstraint, matches } from "./constraint.ts";

const labels = { zone: "a", cores: "8", empty: "" };
const CASES: readonly [Constraint["operator"], string, string[], boolean, string][] = [
  ["=", "zone", ["a"], true, "zone=a"],
  ["==", "zone", ["b"], false, "zone==b"],
  ["!=", "zone", ["b"], true, "zone!=b"],
  ["!=", "nowhere", ["b"], true, "nowhere!=b"],
  ["in", "zone", ["a", "b"], true, "zone in (a,b)"],
  ["in", "nowhere", ["a"], false, "nowhere in (a)"],
  ["notin", "zone", ["a"], false, "zone notin (a)"],
  ["notin", "nowhere", ["a"], true, "nowhere notin (a)"],
  ["exists", "empty", [], true, "empty"],
  ["exists", "nowhere", [], false, "nowhere"],
  ["!", "nowhere", [], true, "!nowhere"],
  ["!", "zone", [], false, "!zone"],
  ["gt", "cores", ["4"], true, "cores>4"],
  ["gt", "cores", ["8"], false, "cores>8"],
  ["lt", "cores", ["16"], true, "cores<16"],
  ["gt", "zone", ["4"], false, "zone>4"],
  ["exists", "toString", [], false, "toString"],
];

for (const [operator, key, values, isMatch, text] of CASES) {
  Deno.test(`the constraint ${text} ${isMatch ? "matches" : "does not match"}`, () => {
    const constraint = { key, operator, values };
    assert.equal(matches(constraint, labels), isMatch);
    assert.equal(formatConstraint(constraint), text);
  });
}
