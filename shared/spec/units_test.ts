import { equal } from "node:assert/strict";
import { formatBytes, formatCpu, formatDuration, parseBytes, parseCpu, parseDuration } from "./units.ts";

const CPUS: readonly (readonly [string, number | undefined])[] = [
  ["500m", 500],
  ["2", 2000],
  ["0.5", 500],
  ["1.2345", 1235],
  [" 100M ", 100],
  ["0.0001", 1],
  ["", undefined],
  ["-1", undefined],
  ["1e3", undefined],
  ["1.5m", undefined],
  ["NaN", undefined],
  ["Infinity", undefined],
];

for (const [text, millis] of CPUS) {
  Deno.test(`parseCpu() reads ${JSON.stringify(text)} as ${millis}`, () => equal(parseCpu(text), millis));
}

const BYTES: readonly (readonly [string, number | undefined])[] = [
  ["512Mb", 512_000_000],
  ["512mb", 512_000_000],
  ["1GiB", 1024 ** 3],
  ["2 Gi", 2 * 1024 ** 3],
  ["1.5kb", 1500],
  ["1,024", 1024],
  [".5k", 500],
  ["0", 0],
  ["7", 7],
  ["1.7b", 1],
  ["", undefined],
  ["Mb", undefined],
  ["-1Mb", undefined],
  ["1 MBit", undefined],
  ["99999999EB", undefined],
];

for (const [text, bytes] of BYTES) {
  Deno.test(`parseBytes() reads ${JSON.stringify(text)} as ${bytes}`, () => equal(parseBytes(text), bytes));
}

const DURATIONS: readonly (readonly [string, number | undefined])[] = [
  ["10s", 10_000],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  ["250ms", 250],
  ["10", undefined],
  ["s", undefined],
  ["-1s", undefined],
];

for (const [text, durationMs] of DURATIONS) {
  Deno.test(`parseDuration() reads ${JSON.stringify(text)} as ${durationMs}`, () => {
    equal(parseDuration(text), durationMs);
  });
}

Deno.test("amounts are written in their shortest exact form", () => {
  equal(formatCpu(500), "500m");
  equal(formatCpu(2000), "2");
  equal(formatBytes(0), "0B");
  equal(formatBytes(512_000_000), "512MB");
  equal(formatBytes(1024 ** 3), "1GiB");
  equal(formatBytes(1025), "1025B");
  equal(formatDuration(0), "0s");
  equal(formatDuration(5_400_250), "1h30m250ms");
});
