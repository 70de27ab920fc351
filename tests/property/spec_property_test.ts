/** Laws of job specs and their units. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../../shared/errors.ts";
import { formatSpec } from "../../shared/spec/format_job.ts";
import { readJobText } from "../../shared/spec/job_text.ts";
import { parseDataUrl } from "../../shared/spec/data_url.ts";
import { parseJob } from "../../shared/spec/parse_job.ts";
import { parseSelector } from "../../shared/spec/selector.ts";
import {
  formatBytes,
  formatCpu,
  formatDuration,
  parseBytes,
  parseCpu,
  parseDuration,
} from "../../shared/spec/units.ts";

/** Runs what may refuse, and lets nothing but a refusal through. */
function refuses(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    ok(error instanceof AppError, error instanceof Error ? error.stack : String(error));
    ok(error.message.length < 100_000);
    return true;
  }
}

const anything = fc.oneof(fc.jsonValue(), fc.anything({ withBigInt: true, withMap: true, withDate: true }));

/** Objects that look like jobs, with anything in their fields. */
const almostJob = (() => {
  const of = (names: readonly string[], value: fc.Arbitrary<unknown>) =>
    fc.dictionary(
      fc.constantFrom(...names, ...names.map((name) => name.toLowerCase()), "__proto__", "x"),
      value,
      {
        maxKeys: 6,
      },
    );
  const leaf = fc.oneof(
    anything,
    fc.constantFrom("wasm", "inline", "local", "/a", "/a/../b", "500m", 3, -1, null),
  );
  const typed = fc.oneof(
    leaf,
    of(
      ["Type", "Params"],
      fc.oneof(leaf, of(["EntryModule", "URL", "SourcePath", "ImportModules", "Digest"], leaf)),
    ),
  );
  const input = fc.oneof(leaf, of(["Source", "Alias", "Target"], typed));
  const task = of(
    ["Name", "Engine", "Publisher", "Env", "InputSources", "ResultPaths", "Resources", "Network", "Timeouts"],
    fc.oneof(typed, fc.array(input), of(["CPU", "Memory", "TotalTimeout", "Name", "Path"], leaf)),
  );
  return of(
    ["Name", "Type", "Count", "Tasks", "Meta", "Labels", "Constraints", "Retry", "State"],
    fc.oneof(leaf, fc.array(task, { maxLength: 2 }), fc.dictionary(fc.string(), fc.string())),
  );
})();

Deno.test("parseJob() answers any value with a spec or an AppError", () => {
  fc.assert(fc.property(anything, (value) => void refuses(() => parseJob(value))), { numRuns: 500 });
  fc.assert(fc.property(almostJob, (value) => void refuses(() => parseJob(value))), { numRuns: 2000 });
});

Deno.test("readJobText() answers any text with a value or an AppError", () => {
  const yamlish = fc.stringMatching(/^[-:{}\[\]&*!|>'"%@`#, \na-c0-9]{0,60}$/);
  fc.assert(fc.property(fc.oneof(fc.string(), yamlish), (text) => void refuses(() => readJobText(text))), {
    numRuns: 2000,
  });
});

Deno.test("readJobText() reads JSON as JSON.parse() does", () => {
  const plain = fc.jsonValue({ stringUnit: "grapheme-ascii" }).map((value) => ({ value }));
  fc.assert(fc.property(plain, (value) => {
    const text = JSON.stringify(value);
    if (text.includes("__proto__")) return;
    deepEqual(readJobText(text).value, JSON.parse(text));
  }));
});

Deno.test("parseSelector() answers any text with constraints or an AppError", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-c=!<>(), in]{0,40}$/),
      (text) => void refuses(() => parseSelector(text)),
    ),
  );
});

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
const texts = fc.dictionary(name, name, { maxKeys: 4 });
const wholeSeconds = fc.integer({ min: 0, max: 10_000 });

/** Jobs that are fine. */
const goodJob = fc.record({
  Name: name,
  Namespace: name,
  Priority: fc.nat(1000),
  Count: fc.nat(1000),
  Labels: texts,
  Meta: texts,
  Restart: fc.option(
    fc.record({
      Attempts: fc.nat(100),
      Interval: fc.integer({ min: 1, max: 86_400 }),
      Delay: fc.nat(60),
      Mode: fc.constantFrom("fail", "delay"),
    }, { requiredKeys: [] }),
    { nil: undefined },
  ),
  OnAgentRestart: fc.option(fc.constantFrom("reattach", "fail"), { nil: undefined }),
  Health: fc.option(
    fc.record({
      MinHealthyTime: fc.nat(86_400),
      StartPeriod: fc.nat(86_400),
      Interval: fc.integer({ min: 1, max: 86_400 }),
      Timeout: fc.integer({ min: 1, max: 3_600 }),
      Retries: fc.integer({ min: 1, max: 100 }),
    }, { requiredKeys: [] }),
    { nil: undefined },
  ),
  Retry: fc.option(
    fc.record({
      Attempts: fc.nat(100),
      LostAttempts: fc.nat(100),
      Delay: fc.option(fc.nat(86_400), { nil: undefined }),
      On: fc.option(
        fc.array(fc.oneof(fc.nat(255), fc.constantFrom("program_failed", "memory_exceeded")), {
          minLength: 1,
        }),
        {
          nil: undefined,
        },
      ),
      Node: fc.option(fc.constantFrom("any", "other", "same"), { nil: undefined }),
    }),
    { nil: undefined },
  ),
  SuccessExitCodes: fc.option(fc.array(fc.nat(255), { minLength: 1 }), { nil: undefined }),
  StopGrace: fc.option(fc.nat(3600), { nil: undefined }),
  Spread: fc.array(name, { maxLength: 3 }),
  Constraints: fc.array(
    fc.record({
      Key: name,
      Operator: fc.constantFrom("in", "notin"),
      Values: fc.array(name, { minLength: 1 }),
    }),
    {
      maxLength: 3,
    },
  ),
  Tasks: fc.record({
    Name: name,
    Engine: fc.record({
      Type: fc.constant("wasm"),
      Params: fc.record({ EntryModule: fc.constant("m.wasm"), Parameters: fc.array(name) }),
    }),
    Env: fc.dictionary(fc.stringMatching(/^[A-AC-Z][A-Z0-9_]{0,9}$/), name, { maxKeys: 4 }),
    InputSources: fc.array(name, { maxLength: 4 }).map((names) => [
      { Source: { Type: "inline", Params: { URL: "data:,x" } }, Target: "m.wasm" },
      ...[...new Set(names)].map((it) => ({
        Source: { Type: "s3", Params: { Bucket: it } },
        Target: `/in/${it}`,
      })),
    ]),
    ResultPaths: fc.uniqueArray(name, { maxLength: 3 }).map((names) =>
      names.filter((it) => !["stdout", "stderr", "exitcode"].includes(it)).map((it) => ({
        Name: it,
        Path: `/out/${it}`,
      }))
    ),
    Resources: fc.record({
      CPU: fc.integer({ min: 1, max: 1e8 }).map((millis) => `${millis}m`),
      Memory: fc.integer({ min: 1, max: 2 ** 40 }).map(String),
      Disk: fc.integer({ min: 0, max: 2 ** 40 }).map(String),
    }),
    Timeouts: fc.record({ ExecutionTimeout: wholeSeconds, QueueTimeout: wholeSeconds }),
  }).map((task) => [task]),
});

Deno.test("a good job is read, written and read again as the same spec", () => {
  fc.assert(fc.property(goodJob, (written) => {
    const { spec } = parseJob(written);
    const wire = JSON.parse(JSON.stringify(formatSpec(spec)));
    deepEqual(parseJob(wire).spec, spec);
  }));
});

Deno.test("a job's keys mean the same in lower case", () => {
  const lower = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(lower);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map((
        [key, item],
      ) => [/^[A-Z][a-z]/.test(key) ? key.toLowerCase() : key, lower(item)]),
    );
  };
  fc.assert(fc.property(goodJob, (written) => {
    const plain = { ...written, Tasks: written.Tasks.map((task) => ({ ...task, Env: {} })) };
    deepEqual(parseJob(lower(plain)).spec.task.resources, parseJob(plain).spec.task.resources);
    deepEqual(
      parseJob(lower(plain)).spec.task.inputs.map(({ target }) => target),
      parseJob(plain).spec.task.inputs.map(({ target }) => target),
    );
  }));
});

Deno.test("units are read back as they are written", () => {
  fc.assert(fc.property(fc.nat({ max: 1e9 }), (millis) => equal(parseCpu(formatCpu(millis)), millis)));
  fc.assert(fc.property(fc.maxSafeNat(), (bytes) => equal(parseBytes(formatBytes(bytes)), bytes)));
  fc.assert(fc.property(fc.nat({ max: 1e12 }), fc.nat(5), (bytes, power) => {
    equal(
      parseBytes(formatBytes(bytes * 1024 ** power)),
      Number.isSafeInteger(bytes * 1024 ** power) ? bytes * 1024 ** power : undefined,
    );
  }));
  fc.assert(
    fc.property(
      fc.nat({ max: 1e12 }),
      (durationMs) => equal(parseDuration(formatDuration(durationMs)), durationMs),
    ),
  );
});

Deno.test("units answer any text with a safe whole number or nothing", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.,]{0,20} ?[kmgtpeKMG]?i?[bB]?$/)), (text) => {
      for (const parsed of [parseCpu(text), parseBytes(text), parseDuration(text)]) {
        ok(parsed === undefined || (Number.isSafeInteger(parsed) && parsed >= 0), `${text} → ${parsed}`);
      }
    }),
  );
});

Deno.test("data: URLs give back the bytes that were put in, in both encodings", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const base64 = btoa(String.fromCharCode(...bytes));
    const percent = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    deepEqual([...parseDataUrl(`data:;base64,${base64}`)!.bytes], [...bytes]);
    deepEqual([...parseDataUrl(`data:,${percent}`)!.bytes], [...bytes]);
  }));
});
