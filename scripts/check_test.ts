import { deepEqual, equal, match } from "node:assert/strict";
import { check } from "./check.ts";
import { exportsOf, importsOf, isBarrel, lengthsOf } from "./source.ts";

const checked = (files: Record<string, string>) => check(new Map(Object.entries(files)));
const rulesOf = (files: Record<string, string>): string =>
  checked(files).problems.map((it) => it.rule).join("; ");

/** A file with one import, and the rule that it breaks. */
const BREAKS: readonly (readonly [path: string, imported: string, rule: RegExp])[] = [
  ["shared/bus/bus.ts", "../../agent/flow/run.ts", /shared knows none/],
  ["shared/errors.ts", "./wire/messages.ts", /directly in shared/],
  ["shared/model/job.ts", "../ledger/ledger.ts", /shared\/model sees only/],
  ["agent/flow/run.ts", "../../orchestrator/flow/submit.ts", /never import each other/],
  ["orchestrator/store/rows.ts", "../../agent/store/journal.ts", /never import each other/],
  ["orchestrator/flow/submit.ts", "../../cli/job.ts", /never import each other/],
  ["cli/job.ts", "../orchestrator/http/jobs.ts", /cli imports shared only/],
  ["cli/job.ts", "../agent/main.ts", /cli imports shared only/],
  ["cli/serve_noun.ts", "./serve.ts", /lazily/],
  ["cli/serve.ts", "../agent/flow/run.ts", /cli imports shared only/],
  ["agent/core/accept.ts", "../store/journal.ts", /core sees only/],
  ["agent/core/accept.ts", "../../shared/ledger/outbox.ts", /core sees only/],
  ["agent/core/accept.ts", "../engines/engine.ts", /core sees only/],
  ["agent/core/accept.ts", "node:fs", /core imports no package/],
  ["agent/core/accept.ts", "zod", /core imports no package/],
  ["agent/store/journal.ts", "../flow/run.ts", /go down only/],
  ["agent/flow/run.ts", "../main.ts", /main\.ts is imported by/],
  ["agent/flow/run.ts", "../engines/wasm.ts", /adapter is imported by/],
  ["orchestrator/flow/submit.ts", "../http/jobs.ts", /go down only/],
  ["orchestrator/http/jobs.ts", "../ui/page.ts", /go down only/],
  ["shared/ledger/sync.ts", "../bus/embedded_bus.ts", /adapter is imported by/],
  ["agent/engines/engine.ts", "../store/journal.ts", /a port sees only/],
  ["agent/flow/run.ts", "../../tests/support/builders.ts", /programs must not import tests/],
  ["shared/log.ts", "npm:chalk@5", /packages are named in deno.json/],
];

const TEST_BESIDE = { "agent/core/accept_test.ts": "" };

for (const [path, imported, rule] of BREAKS) {
  Deno.test(`layers refuse ${path} importing ${imported}`, () => {
    const broken = rulesOf({ ...TEST_BESIDE, [path]: `import { x } from "${imported}";\n` });
    match(broken, rule);
    equal(broken.split("; ").length, 1, broken);
  });
}

Deno.test("layers accept imports that go down, ports, composition in main.ts, and the lazy start of the roles", () => {
  const files = {
    ...TEST_BESIDE,
    "agent/core/accept.ts":
      `import type { Job } from "../../shared/model/job.ts";\nimport { x } from "./capacity.ts";\n`,
    "agent/core/accept_test.ts":
      `import { y } from "../engines/wasm.ts";\nimport { equal } from "node:assert/strict";\n`,
    "agent/flow/run.ts":
      `import type { Engine } from "../engines/engine.ts";\nimport { j } from "../store/journal.ts";\n`,
    "agent/engines/wasm.ts":
      `import type { Engine } from "./engine.ts";\nimport { a } from "../core/accept.ts";\n`,
    "agent/main.ts":
      `import { w } from "./engines/wasm.ts";\nimport { b } from "../shared/bus/embedded_bus.ts";\n`,
    "cli/serve.ts": `const { start } = await import("../agent/main.ts");\n`,
    "mod.ts": `import { main } from "./cli/main.ts";\n`,
  };
  equal(rulesOf(files), "");
});

Deno.test("check refuses vague file names, deep folders, barrels, and core without tests", () => {
  match(rulesOf({ "shared/utils.ts": "" }), /no name for a file/);
  match(rulesOf({ "shared/model/job_types.ts": "" }), /no name for a file/);
  match(rulesOf({ "agent/engines/worker.ts": "" }), /no name for a file/);
  match(rulesOf({ "shared/myFile.ts": "" }), /snake_case/);
  match(rulesOf({ "agent/engines/wasm/child.ts": "" }), /never deeper/);
  match(rulesOf({ "agent/core/accept.ts": "" }), /test beside it/);
  match(rulesOf({ "shared/all.ts": `export { a } from "./a.ts";\nexport * from "./b.ts";\n` }), /no barrels/);
  equal(rulesOf({ "agent/engines/wasm_worker.ts": "", "agent/engines/wasm.ts": "" }), "");
});

Deno.test("check refuses exports without a doc comment, and vague names", () => {
  match(rulesOf({ "shared/a.ts": "export const a = 1;\n" }), /a has no doc comment/);
  for (
    const it of [
      "class JobManager {}",
      "interface NodeInfo {}",
      "const data = 1;",
      "function jobHandler() {}",
    ]
  ) {
    match(rulesOf({ "shared/a.ts": `/** Doc. */\nexport ${it}\n` }), /too vague/);
  }
  equal(rulesOf({ "shared/a.ts": "/** Doc. */\nexport function printData() {}\n" }), "");
  equal(rulesOf({ "orchestrator/http/nodes.ts": "/** Doc. */\nexport interface NodeInfo {}\n" }), "");
});

Deno.test("check warns of long files and functions without failing", () => {
  const body = "  a();\n".repeat(80);
  const { problems, warnings } = checked({
    "shared/a.ts": `/** Doc. */\nexport function f(): void {\n${body}}\n${"// line\n".repeat(400)}`,
  });
  deepEqual(problems, []);
  deepEqual(warnings, ["shared/a.ts: 483 lines", "shared/a.ts:2: f has 82 lines"]);
});

Deno.test("importsOf() reads several lines, types, side effects, lazy ones, and no comments", () => {
  const text = [
    `import {`,
    `  a,`,
    `} from "./a.ts";`,
    `import type { B } from "../b.ts";`,
    `import "zod";`,
    `export type { C } from "./c.ts";`,
    `const d = await import("./d.ts");`,
    ` * import { e } from "./e.ts";`,
    `// import("./f.ts")`,
  ].join("\n");
  deepEqual(importsOf("agent/flow/x.ts", text).map((it) => `${it.to}${it.isLazy ? " lazily" : ""}`), [
    "agent/flow/a.ts",
    "agent/b.ts",
    "agent/flow/c.ts",
    "zod",
    "agent/flow/d.ts lazily",
  ]);
});

Deno.test("exportsOf() takes overloads and a schema with its type for one name", () => {
  const text = `/** Doc. */\nexport const Job = z.object({});\nexport type Job = z.infer<typeof Job>;\n
// deno-lint-ignore no-explicit-any\nexport type Bare = any;\n
/** Doc. */\n// deno-lint-ignore no-explicit-any\nexport abstract class Good {}\n`;
  deepEqual(exportsOf(text).map((it) => [it.name, it.hasDoc]), [["Job", true], ["Bare", false], [
    "Good",
    true,
  ]]);
});

Deno.test("isBarrel() is for files that only hand on", () => {
  equal(isBarrel(`/** All. */\nexport {\n  a,\n} from "./a.ts";\n`), true);
  equal(isBarrel(`export { a } from "./a.ts";\nexport const b = 1;\n`), false);
  equal(isBarrel(`import { a } from "./a.ts";\n`), false);
  equal(isBarrel(``), false);
});

Deno.test("lengthsOf() measures functions, methods and arrows, not statements", () => {
  const text = [
    "function one() {",
    "  if (x) {",
    "  }",
    "}",
    "class A {",
    "  async #two(a: string): Promise<void> {",
    "  }",
    "}",
    "export const three = (a: number) => {",
    "};",
    "export async function four(",
    "  a: number,",
    "): Promise<void> {",
    "}",
    "const table = {",
    "  five(a) {",
    "  },",
    "};",
  ].join("\n");
  const expected = [["one", 4], ["#two", 2], ["three", 2], ["four", 4], ["five", 2]];
  deepEqual(lengthsOf(text).map((it) => [it.name, it.lineCount]), expected);
});
