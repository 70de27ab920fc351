/** The demo's answer as text for a terminal of 80 columns: a sentence, a table and a chart. */
import {
  afternoonsWith,
  coolestMonths,
  coolMonths,
  type Findings,
  getAfternoon,
  getInterval,
  type Interval,
  isClearlyCooler,
  meanByHour,
  type Other,
  type Station,
} from "../examples/sea_breeze/findings.ts";
import type { Paint } from "../cli/paint.ts";

const BARS = "▁▂▃▄▅▆▇█";
/** The full height of a bar. */
const BAR_FULL_C = 4;
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const CHART = { width: 70, height: 15 };

/** Drawn one over the other, so that JFK is on top. Told apart by their lines where there are no colours. */
const LINES: readonly { readonly station: Station; readonly name: string; readonly strokes: string }[] = [
  { station: "EWR", name: "Newark", strokes: "┄┆┐┘┌└" },
  { station: "LGA", name: "LaGuardia", strokes: "─│╮╯╭╰" },
  { station: "JFK", name: "JFK", strokes: "━┃┓┛┏┗" },
];

/** The whole answer. */
export async function formatFindings(findings: Findings, paint: Paint): Promise<string> {
  return [
    formatAnswer(findings, paint),
    "",
    await formatTable(findings, paint),
    "",
    await formatChart(findings, paint),
  ].join("\n");
}

/** What was found, in a few sentences. */
export function formatAnswer(findings: Findings, paint: Paint): string {
  const cool = coolMonths(findings);
  const [coolest] = coolestMonths(findings, 1);
  if (coolest === undefined) throw new Error("There are no results");
  const pair = coolestMonths(findings, 2);
  const [ocean, land] = [
    afternoonsWith(findings, { months: pair, wind: "ocean" }),
    afternoonsWith(findings, { months: pair, wind: "land" }),
  ];
  const against = (other: Other) => paint.accent(`${size(getAfternoon(findings, coolest, other))} °C`);
  return [
    paint.bold("How much does the sea breeze cool JFK?"),
    `JFK's afternoons were clearly cooler than the others' ${monthSpan(cool)},`,
    `most in ${longMonth(coolest)}: ${against("LGA")} against LaGuardia, ${against("EWR")} against Newark.`,
    `In ${pair.map(longMonth).join(" and ")} the afternoon wind at JFK came over the water ${
      percent(ocean.ratio)
    } of the time.`,
    `Then JFK was ${paint.accent(compare(ocean.againstC.LGA))} than LaGuardia; with wind off the land ${
      paint.warn(compare(land.againstC.LGA))
    }.`,
  ].join("\n");
}

/** Month by month: the afternoon's difference, how often the wind came over the water, and the course of the day. */
export async function formatTable(findings: Findings, paint: Paint): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const table = new Table({
    head: ["2013", "− LaGuardia", "− Newark", "sea wind", "0h    6h    12h   18h    "],
    chars: { "left": "", "right": "", "left-mid": "", "right-mid": "", "mid": "", "mid-mid": "" },
    style: { head: [], border: [] },
    colAligns: ["left", "right", "right", "right", "left"],
  });
  for (const month of findings.months) {
    const { ratio } = afternoonsWith(findings, { months: [month], wind: "ocean" });
    table.push([
      shortMonth(month),
      difference(getAfternoon(findings, month, "LGA"), paint),
      difference(getAfternoon(findings, month, "EWR"), paint),
      percent(ratio),
      paint.accent(dayStrip(findings, month)),
    ]);
  }
  return [
    "Afternoons, 12 to 17 h: JFK minus the other, in °C, and its 95 % interval.",
    `Bars, hour by hour: how much cooler than Newark, where clear (full: ${BAR_FULL_C} °C).`,
    table.toString().split("\n").slice(1, -1).map((line) => line.trimEnd()).join("\n"),
  ].join("\n");
}

/** The mean day of the coolest two months at the three airports. */
export async function formatChart(findings: Findings, paint: Paint): Promise<string> {
  const { default: plot } = await import("simple-ascii-chart");
  const months = coolestMonths(findings, 2);
  const curves = meanByHour(findings, months);
  const all = Object.values(curves).flat();
  const range: [number, number] = [Math.floor(Math.min(...all)) - 0.5, Math.ceil(Math.max(...all)) + 0.5];
  const layers = LINES.map(({ station, strokes }) => {
    const [we, ns, wns, wsn, sne, nse] = strokes;
    return plot(HOURS.map((hour) => [hour, curves[station][hour]!]), {
      ...CHART,
      yRange: range,
      symbols: { chart: { we, ns, wns, wsn, sne, nse } },
      customXAxisTicks: HOURS.filter((hour) => hour % 3 === 0),
      customYAxisTicks: evenDegrees(range),
      formatter: (value, { axis }) => axis === "y" ? `${value} °C` : value,
    });
  });
  const tints = { EWR: paint.warn, LGA: paint.bad, JFK: paint.accent };
  return [
    `Mean temperature by hour of the day, ${months.map(longMonth).join(" and ")} 2013`,
    overlay(layers, LINES.map(({ station }) => tints[station])),
    "     " + LINES.map(({ station, name, strokes }) => tints[station](`${strokes[0]!.repeat(3)} ${name}`))
      .toReversed().join("   ") +
    "   (local hours)",
  ].join("\n");
}

/**
 * Lays charts of the same size and axes one over the other. What all of them share is the axes; the rest is a
 * line, and the last chart that has one there wins.
 */
function overlay(layers: readonly string[], tints: readonly ((text: string) => string)[]): string {
  const grids = layers.map((layer) => layer.split("\n").map((line) => [...line]));
  const rows = grids[0]!.map((row, y) =>
    row.map((cell, x) => {
      if (grids.every((grid) => grid[y]?.[x] === cell)) return cell;
      const top = grids.findLastIndex((grid) => (grid[y]?.[x] ?? " ") !== " ");
      return tints[top]!(grids[top]![y]![x]!);
    }).join("").trimEnd()
  );
  return rows.filter((row) => row !== "").join("\n");
}

function dayStrip(findings: Findings, month: string): string {
  return HOURS.map((hour) => {
    const interval = getInterval(findings, month, String(hour), "EWR");
    if (!isClearlyCooler(interval)) return "·";
    const level = Math.floor((-interval.meanC / BAR_FULL_C) * BARS.length);
    return BARS[Math.min(level, BARS.length - 1)]!;
  }).join("");
}

function difference(interval: Interval, paint: Paint): string {
  const text = `${signed(interval.meanC)} ± ${halfWidth(interval)}`;
  return isClearlyCooler(interval) ? paint.accent(text) : text;
}

function size(interval: Interval): string {
  return `${Math.abs(interval.meanC).toFixed(1)} ± ${halfWidth(interval)}`;
}

function compare(differenceC: number): string {
  return `${Math.abs(differenceC).toFixed(1)} °C ${differenceC < 0 ? "cooler" : "warmer"}`;
}

function halfWidth(interval: Interval): string {
  return ((interval.highC - interval.lowC) / 2).toFixed(1);
}

function signed(value: number): string {
  const text = Math.abs(value).toFixed(1);
  if (text === "0.0") return text;
  return value < 0 ? `−${text}` : `+${text}`;
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

function evenDegrees([low, high]: readonly [number, number]): number[] {
  const first = Math.ceil(low / 2) * 2;
  return Array.from({ length: Math.floor((high - first) / 2) + 1 }, (_, index) => first + 2 * index);
}

/** "from April to August" when they follow one another, else "in" each of them. */
function monthSpan(months: readonly string[]): string {
  const numbers = months.map((month) => Number(month.slice(5)));
  const isRun = numbers.every((number, index) => index === 0 || number === numbers[index - 1]! + 1);
  if (months.length === 0) return "in no month";
  if (isRun && months.length > 2) return `from ${longMonth(months[0]!)} to ${longMonth(months.at(-1)!)}`;
  return `in ${new Intl.ListFormat("en").format(months.map(longMonth))}`;
}

function longMonth(month: string): string {
  return monthName(month, "long");
}

function shortMonth(month: string): string {
  return monthName(month, "short");
}

function monthName(month: string, style: "long" | "short"): string {
  return new Date(`${month}-01T00:00Z`).toLocaleDateString("en", { month: style, timeZone: "UTC" });
}
