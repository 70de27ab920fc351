import assert from "node:assert/strict";
import { colours } from "../cli/paint.ts";
import type { Findings, Interval, Tally, Wind } from "../examples/sea_breeze/findings.ts";
import { formatAnswer, formatChart, formatFindings, formatTable } from "./demo_chart.ts";

const PLAIN = colours(false);
const MONTHS = Array.from({ length: 12 }, (_, month) => `2013-${String(month + 1).padStart(2, "0")}`);

/** JFK is 2 °C cooler in May, 3 in June, when the wind is from the ocean, and otherwise like the others. */
function aYear(): Findings {
  const depths = new Map([["2013-05", 2], ["2013-06", 3]]);
  const tallies: Tally[] = [];
  const intervals: Interval[] = [];
  for (const month of MONTHS) {
    const depth = depths.get(month) ?? 0;
    for (let hour = 0; hour < 24; hour++) {
      const base = 150 + 50 * Math.sin(((hour - 9) / 24) * 2 * Math.PI);
      const tally = (wind: Wind, coolingC: number): Tally => ({
        month,
        hour,
        wind,
        hourCount: 10,
        sums: { JFK: 10 * (base - 10 * coolingC), LGA: 10 * base, EWR: 10 * base },
      });
      tallies.push(tally("ocean", depth), tally("land", 0));
      intervals.push(...intervalsOf(month, String(hour), hour < 12 ? 0 : depth));
    }
    intervals.push(...intervalsOf(month, "12-17", depth));
  }
  return { months: MONTHS, tallies, intervals };
}

function intervalsOf(month: string, hours: string, depth: number): Interval[] {
  return (["LGA", "EWR"] as const).map((against) => ({
    month,
    hours,
    against,
    meanC: -depth,
    lowC: -depth - 0.5,
    highC: -depth + 0.5,
  }));
}

Deno.test("the answer names months, differences with their certainty, and what the wind does", () => {
  assert.deepEqual(formatAnswer(aYear(), PLAIN).split("\n").slice(1), [
    "JFK's afternoons were clearly cooler than the others' in May and June,",
    "most in June: 3.0 ± 0.5 °C against LaGuardia, 3.0 ± 0.5 °C against Newark.",
    "In May and June the afternoon wind at JFK came over the water 50 % of the time.",
    "Then JFK was 2.5 °C cooler than LaGuardia; with wind off the land 0.0 °C warmer.",
  ]);
});

Deno.test("the table has a row a month, and bars only in hours that are clear", async () => {
  const lines = (await formatTable(aYear(), PLAIN)).split("\n");
  assert.equal(lines.length, 2 + 1 + 12);
  assert.equal(lines.at(-7), " Jun  │  −3.0 ± 0.5 │ −3.0 ± 0.5 │     50 % │ ············▇▇▇▇▇▇▇▇▇▇▇▇");
  assert.equal(lines.at(-1), " Dec  │   0.0 ± 0.5 │  0.0 ± 0.5 │     50 % │ ························");
});

Deno.test("the chart keeps a line for each station and its axes", async () => {
  const chart = await formatChart(aYear(), PLAIN);
  assert.match(chart, /May and June 2013/);
  assert.match(chart, /━━┓/);
  assert.match(chart, /──╮/);
  assert.match(chart, /20 °C┤/);
  assert.match(chart, / 0 {8}3 {8}6 {8}9 {7}12 {7}15 {7}18 {7}21/);
});

Deno.test("everything fits 80 columns and has no colours unless asked", async () => {
  const plain = await formatFindings(aYear(), PLAIN);
  assert.ok(!plain.includes("\x1b"));
  for (const line of plain.split("\n")) assert.ok([...line].length <= 80, line);
  const coloured = await formatFindings(aYear(), colours(true));
  assert.ok(coloured.includes("\x1b[36m"));
  // deno-lint-ignore no-control-regex
  assert.equal(coloured.replace(/\x1b\[\d+m/g, ""), plain);
});
