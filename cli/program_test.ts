import assert from "node:assert/strict";
import { CommanderError } from "commander";
import { AppError } from "../shared/errors.ts";
import { NOUNS } from "./nouns.ts";
import { parseArgs } from "./program.ts";

const nouns = await Promise.all(NOUNS.map((noun) => noun.load()));
const parse = (...args: string[]) => parseArgs(args, { nouns, write: () => {} });

Deno.test("flags of every command stand before or after its words", () => {
  for (
    const args of [["--api", "x", "job", "list"], ["job", "--api", "x", "list"], ["job", "list", "--api=x"]]
  ) {
    const { path, globals } = parse(...args);
    assert.deepEqual([path, globals.api], ["job list", "x"]);
  }
});

Deno.test("a switch can be negated, and given a value", () => {
  const wait = (...flags: string[]) => parse("job", "run", ...flags, "job.yaml").values.wait;
  assert.equal(wait(), true);
  for (const off of ["--no-wait", "--wait=false", "--wait=0"]) assert.equal(wait(off), false);
  for (const on of ["--wait", "--wait=true", "--no-wait=false"]) assert.equal(wait(on), true);
  assert.equal(parse("job", "run", "-f", "job.yaml").values.follow, true);
});

Deno.test("what follows -- belongs to the module, whatever it looks like", () => {
  const { operands, values } = parse(
    "wasm",
    "run",
    "a.wasm",
    "-eA=1",
    "-e",
    "B=2",
    "--",
    "-e",
    "C=3",
    "--wait=false",
  );
  assert.deepEqual(operands, ["a.wasm", "-e", "C=3", "--wait=false"]);
  assert.deepEqual(values.env, ["A=1", "B=2"]);
  assert.equal(values.wait, true);
});

Deno.test("values are read as what they are, and only given flags are given", () => {
  const { values, given } = parse("job", "logs", "j-1", "--tail", "5", "--partition=0");
  assert.deepEqual([values.tail, values.partition, values.follow], [5, 0, false]);
  assert.deepEqual([...given].sort(), ["partition", "tail"]);
});

Deno.test("a flag that removes a bound is null", () => {
  const { values } = parse("namespace", "set", "team-a", "--quota-cpu", "none", "--max-jobs=none");
  assert.deepEqual([values.quotaCpu, values.maxJobs, values.maxCpu], [null, null, undefined]);
});

Deno.test("what names nothing is refused; an argument of a program may be empty", () => {
  for (
    const args of [["job", "describe", ""], ["job", "stop", "a", " "], [
      "namespace",
      "set",
      "",
      "--weight",
      "2",
    ]]
  ) {
    assert.throws(() => parse(...args), /it must not be empty/, args.join());
  }
  assert.deepEqual(parse("docker", "run", "a", "--", "", "b").operands, ["a", "", "b"]);
  assert.deepEqual(parse("config", "set", "labels", "").operands, ["labels", ""]);
});

Deno.test("a single dash is an operand: stdin", () => {
  assert.deepEqual(parse("job", "run", "-").operands, ["-"]);
});

Deno.test("wrong usage is an error with what was meant", () => {
  const message = (...args: string[]) => {
    try {
      parse(...args);
    } catch (error) {
      assert.ok(error instanceof CommanderError || error instanceof AppError);
      return `${error.message} ${error instanceof AppError ? error.hint : ""}`;
    }
    return assert.fail("it was accepted");
  };
  assert.match(message("jbo"), /Did you mean job/);
  assert.match(message("job", "lst"), /Did you mean list/);
  assert.match(message("job", "list", "--lables", "x"), /Did you mean --labels/);
  assert.match(
    message("job", "list", "-o", "yml"),
    /--output: must be one of .*current value is "yml".*Did you mean yaml/,
  );
  assert.match(message("job", "describe"), /missing required argument/);
});
