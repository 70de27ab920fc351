/** `docs/jobs.md` against the code: every field, the bounds and defaults that it names, and its example. */
import assert from "node:assert/strict";
import { DELAY } from "../../orchestrator/core/backoff.ts";
import { LIMITS } from "../../shared/limits.ts";
import { Operator } from "../../shared/model/constraint.ts";
import { JobType, UPDATE_DEFAULT } from "../../shared/model/job.ts";
import { HEALTH_DEFAULT, StopSignal } from "../../shared/model/policy.ts";
import { defaultRestart } from "../../shared/model/restart_default.ts";
import { KNOWN_TYPES } from "../../shared/spec/adapters.ts";
import { DockerParams } from "../../shared/spec/docker_schema.ts";
import { fieldPaths } from "../../shared/spec/fields.ts";
import { InlineParams, Job, LocalParams, WasmParams } from "../../shared/spec/job_schema.ts";
import { readJobText } from "../../shared/spec/job_text.ts";
import { JOB_DEFAULTS, parseJob, STOP_GRACE_DEFAULT_MS } from "../../shared/spec/parse_job.ts";
import { RETRY_DEFAULT } from "../../shared/spec/policies.ts";
import { formatBytes, formatCpu, formatDuration } from "../../shared/spec/units.ts";

const TEXT = await Deno.readTextFile(new URL("../../docs/jobs.md", import.meta.url));

/** The section below a heading. */
function section(heading: string): string {
  const start = TEXT.indexOf(`\n${heading}\n`);
  assert.ok(start >= 0, heading);
  const end = TEXT.indexOf("\n#", start + heading.length + 1);
  return TEXT.slice(start, end < 0 ? undefined : end);
}

/** First cells of table rows that are one name in backquotes, with the rest of their row. */
function rowsOf(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^\| `([A-Z][\w.[\]]*)` +\|(.*)\|$/gm)].map((row) => [row[1]!, row[2]!]));
}

Deno.test("docs/jobs.md has a row for every field of a job, and for no other", () => {
  const owned = ["ID", "State", "Version", "Revision", "CreateTime", "ModifyTime"];
  const wasm = fieldPaths(WasmParams).map((path) => `Tasks[].Engine.Params.${path}`);
  const known = [...fieldPaths(Job), ...wasm].filter((path) => !owned.includes(path));
  const ownSections = [
    section("### Engine docker"),
    section("### Inputs").split("| `Source.Params`").slice(1).join(),
  ];
  const told = [...rowsOf(TEXT).keys()].filter((path) => !ownSections.some((text) => rowsOf(text).has(path)));
  assert.deepEqual(told.sort(), known.sort());
  for (const field of owned) assert.match(TEXT, new RegExp(`\`${field}\``));
});

Deno.test("docs/jobs.md has a row for every parameter of the inputs and of docker, and for no other", () => {
  const [, local, inline] = section("### Inputs").split("| `Source.Params`");
  assert.deepEqual([...rowsOf(local!).keys()], fieldPaths(LocalParams));
  assert.deepEqual([...rowsOf(inline!).keys()], fieldPaths(InlineParams));
  assert.deepEqual(
    [...rowsOf(section("### Engine docker")).keys()].sort(),
    [...fieldPaths(DockerParams)].sort(),
  );
});

Deno.test("docs/jobs.md names bounds, defaults and words as they are", () => {
  const number = (value: number) => value.toLocaleString("en");
  const { resources } = JOB_DEFAULTS;
  const says: readonly [string, string][] = [
    ["Priority", number(LIMITS.priorityMax)],
    ["Count", number(LIMITS.jobCountMax)],
    ["Constraints", number(LIMITS.constraintsMax)],
    ["Constraints[].Values", number(LIMITS.constraintValuesMax)],
    ["Spread", number(LIMITS.spreadMax)],
    ["StopGrace", `\`${formatDuration(STOP_GRACE_DEFAULT_MS)}\``],
    ["Restart.Attempts", `${defaultRestart("service").attempts} for`],
    ["Restart.Attempts", number(LIMITS.retryAttemptsMax)],
    ["Restart.Interval", `\`${formatDuration(defaultRestart("service").intervalMs)}\``],
    ["Restart.Interval", `\`${formatDuration(defaultRestart("batch").intervalMs)}\``],
    ["Restart.Delay", `\`${formatDuration(defaultRestart("service").delayMs)}\``],
    ["Restart.MaxDelay", `\`${formatDuration(defaultRestart("service").maxDelayMs)}\``],
    ["Restart.Mode", `\`${defaultRestart("daemon").mode}\` for \`daemon\``],
    ["Health.MinHealthyTime", `\`${formatDuration(HEALTH_DEFAULT.minHealthyMs)}\``],
    ["Health.Interval", `\`${formatDuration(HEALTH_DEFAULT.intervalMs)}\``],
    ["Health.Timeout", `\`${formatDuration(HEALTH_DEFAULT.timeoutMs)}\``],
    ["Health.Retries", `| ${HEALTH_DEFAULT.retries} `],
    ...StopSignal.options.map((name): [string, string] => ["StopSignal", `\`${name}\``]),
    ["Retry.Attempts", `| ${RETRY_DEFAULT.attempts} `],
    ["Retry.Attempts", number(LIMITS.retryAttemptsMax)],
    ["Retry.LostAttempts", `| ${RETRY_DEFAULT.lostAttempts} `],
    ["Retry.Delay", `\`${formatDuration(DELAY.firstMs)}\``],
    ["Retry.MaxDelay", `\`${formatDuration(DELAY.maxMs)}\``],
    ["Update.MaxParallel", `| ${UPDATE_DEFAULT.maxParallel} `],
    ["Update.MaxParallel", number(LIMITS.jobCountMax)],
    ["Update.AutoRollback", `| ${UPDATE_DEFAULT.autoRollback} `],
    ["Update.ProgressDeadline", `\`${formatDuration(UPDATE_DEFAULT.progressMs)}\``],
    ...JobType.options.map((type): [string, string] => ["Type", `\`${type}\``]),
    ["Tasks[].InputSources", number(LIMITS.inputsMax)],
    ["Tasks[].ResultPaths", number(LIMITS.inputsMax)],
    ["Tasks[].Network.Domains", number(LIMITS.inputsMax)],
    ["Tasks[].Resources.CPU", `\`${formatCpu(resources.cpuMillis)}\``],
    ["Tasks[].Resources.CPU", number(LIMITS.cpuMillisMax / 1000)],
    ["Tasks[].Resources.Memory", `\`${formatBytes(resources.memoryBytes)}\``],
    ["Tasks[].Resources.GPU", number(LIMITS.gpuCountMax)],
    ["Tasks[].Publisher.Type", `\`${JOB_DEFAULTS.publisher!.type}\``],
    ...KNOWN_TYPES.engine.map((type): [string, string] => ["Tasks[].Engine.Type", `\`${type}\``]),
    ...KNOWN_TYPES.input.map((
      type,
    ): [string, string] => ["Tasks[].InputSources[].Source.Type", `\`${type}\``]),
    ...KNOWN_TYPES.publisher.map((type): [string, string] => ["Tasks[].Publisher.Type", `\`${type}\``]),
  ];
  const rows = rowsOf(TEXT);
  for (const [field, text] of says) {
    assert.ok(rows.get(field)?.includes(text), `${field} does not say ${text}`);
  }
  for (
    const limit of [LIMITS.specValuesMax, LIMITS.nameCharsMax, LIMITS.pathCharsMax, LIMITS.textCharsMax]
  ) assert.ok(TEXT.split("\n## ")[0]!.includes(number(limit)), String(limit));
  for (const operator of Operator.options) {
    assert.ok(section("## Constraints").includes(`\`${operator}\``), operator);
  }
});

Deno.test("the example of docs/jobs.md is a job without warnings", () => {
  const example = /^```yaml\n([\s\S]*?)^```$/m.exec(TEXT)![1]!;
  const { spec, warnings } = parseJob(readJobText(example).value);
  assert.deepEqual([spec.count, spec.task.timeouts.executionMs, warnings], [12, 600_000, []]);
});

Deno.test("the Meta keys of docs/jobs.md are read", () => {
  const keys = [
    ...section("## Retry, exit codes, stopping").matchAll(/^\| `(skerry\/\w+)` +\| `\w+` +\| `([^`]+)`/gm),
  ];
  assert.equal(keys.length, 9);
  const example = /^```yaml\n([\s\S]*?)^```$/m.exec(TEXT)![1]!.replace(/^Retry.*\n/m, "");
  const job = readJobText(example).value as Record<string, unknown>;
  const task = (job.Tasks as Record<string, unknown>[])[0];
  const Meta = Object.fromEntries(keys.map(([, key, value]) => [key, value]));
  const Engine = { Type: "docker", Params: { Image: "busybox" } };
  const { spec } = parseJob({ ...job, Type: "service", Tasks: [{ ...task, Engine, Timeouts: {} }], Meta });
  assert.deepEqual(
    [spec.retry.attempts, spec.update?.maxParallel, spec.successExitCodes, spec.stopGraceMs, spec.spread],
    [2, 2, [0, 3], 30_000, ["rack"]],
  );
  assert.deepEqual(
    [spec.restart?.attempts, spec.onAgentRestart, spec.stopSignal, spec.health?.intervalMs],
    [5, "restart", "SIGINT", 5_000],
  );
});
