import plugin from "./lint_core.ts";
import { equal } from "node:assert/strict";

const found = (source: string, path = "/repo/agent/core/accept.ts"): string[] =>
  Deno.lint.runPlugin(plugin, path, source).map((it) => it.message.replace("core must be pure: ", ""));

const REFUSED: readonly (readonly [source: string, ...found: string[]])[] = [
  ["export const now = (): number => Date.now();", "Date"],
  ["export const at = new Date(0);", "Date"],
  ["export const dice = (): number => Math.random();", "Math.random"],
  ["export const id = (): string => crypto.randomUUID();", "crypto"],
  ["export const ms = (): number => performance.now();", "performance"],
  ["export const get = () => fetch('http://localhost');", "fetch"],
  ["export const read = () => Deno.readTextFileSync('x');", "Deno"],
  ["setTimeout(() => {}, 1);", "setTimeout"],
  ["setInterval(() => {}, 1);", "setInterval"],
  ["export const env = process.env;", "process"],
  ["export const sneaky = globalThis['fetch'];", "globalThis"],
  ["export const shorthand = { Date };", "Date"],
  ["export async function wait(): Promise<void> {}", "async function", "Promise"],
  ["export const wait = async () => {};", "async function"],
  ["export const wait = { async go() {} };", "async function"],
  ["export async function f(x: number) { await x; }", "async function", "await"],
  ["export async function f(x: number[]) { for await (const y of x) y; }", "async function", "for await"],
  ["import { readFileSync } from 'node:fs';", 'import of "node:fs"'],
  ["import { z } from 'zod';", 'import of "zod"'],
  ["export const load = () => import('./place.ts');", "import()"],
];

for (const [source, ...expected] of REFUSED) {
  Deno.test(`pure-core refuses: ${source}`, () => equal(found(source).sort().join(), expected.sort().join()));
}

Deno.test("pure-core accepts pure code, and names that only look impure", () => {
  const source = `
    import { Job } from "../../shared/model/job.ts";
    export interface Shape { readonly fetch: number; performance(): void }
    export function place(job: Job, { nowMs, drawn }: { nowMs: number; drawn: number }): number {
      const shape = { fetch: 1, Date: 2 };
      return Math.max(job.count, nowMs, drawn, shape.fetch, shape.Date);
    }`;
  equal(found(source).join(), "");
});

Deno.test("pure-core looks at core folders only, and not at their tests", () => {
  const source = "export const now = (): number => Date.now();";
  equal(found(source, "/repo/agent/flow/run.ts").length, 0);
  equal(found(source, "/repo/agent/core/accept_test.ts").length, 0);
  equal(found(source, "/repo/orchestrator/core/place.ts").length, 1);
});
