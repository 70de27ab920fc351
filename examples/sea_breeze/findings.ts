/**
 * Puts the result files of all partitions together and answers the example's question from them.
 *
 * Temperatures in °C; a difference is JFK minus the other station, so that a negative one means "JFK is cooler".
 */

/** The airports, by the codes that the observations use. */
export const STATIONS = ["JFK", "LGA", "EWR"] as const;
/** One of the three airports. */
export type Station = typeof STATIONS[number];
/** What JFK is compared with. */
export type Other = Exclude<Station, "JFK">;
/** The wind at JFK: over the water, over land, none, or from no one direction. */
export type Wind = "ocean" | "land" | "calm" | "variable";

/** Sums over the hours of one month that share the hour of the day and the kind of wind at JFK. */
export type Tally = {
  readonly month: string;
  readonly hour: number;
  readonly wind: Wind;
  readonly hourCount: number;
  /** Tenths of a degree. */
  readonly sums: Readonly<Record<Station, number>>;
};

/** A mean difference with the bounds of its 95 % interval. */
export type Interval = {
  readonly month: string;
  /** An hour of the day, or `12-17` for the afternoon. */
  readonly hours: string;
  readonly against: Other;
  readonly meanC: number;
  readonly lowC: number;
  readonly highC: number;
};

/** The results of all partitions. */
export type Findings = {
  readonly months: readonly string[];
  readonly tallies: readonly Tally[];
  readonly intervals: readonly Interval[];
};

const AFTERNOON = "12-17";
const HOURS_FILE = /^\d{4}-\d{2}-hours\.csv$/;
const INTERVALS_FILE = /^\d{4}-\d{2}-intervals\.csv$/;

/** Reads result files by their names, whichever folders they are in; other files are passed over. */
export async function readFindings(folder: string): Promise<Findings> {
  const tallies: Tally[] = [];
  const intervals: Interval[] = [];
  for await (const path of walk(folder)) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (HOURS_FILE.test(name)) tallies.push(...parseTallies(await Deno.readTextFile(path)));
    if (INTERVALS_FILE.test(name)) intervals.push(...parseIntervals(await Deno.readTextFile(path)));
  }
  const months = [...new Set(tallies.map((tally) => tally.month))].sort();
  return { months, tallies, intervals };
}

/** Reads one `…-hours.csv`. Throws when a row is not one. */
export function parseTallies(text: string): readonly Tally[] {
  return parseRows(text, "month,hour,wind,hours,jfk_dc,lga_dc,ewr_dc").map((row) => ({
    month: row[0]!,
    hour: toNumber(row[1]!),
    wind: row[2] as Wind,
    hourCount: toNumber(row[3]!),
    sums: { JFK: toNumber(row[4]!), LGA: toNumber(row[5]!), EWR: toNumber(row[6]!) },
  }));
}

/** Reads one `…-intervals.csv`. Throws when a row is not one. */
export function parseIntervals(text: string): readonly Interval[] {
  return parseRows(text, "month,hours,against,observations,mean_c,low_c,high_c").map((row) => ({
    month: row[0]!,
    hours: row[1]!,
    against: row[2] as Other,
    meanC: toNumber(row[4]!),
    lowC: toNumber(row[5]!),
    highC: toNumber(row[6]!),
  }));
}

/** The afternoon's difference in a month. */
export function getAfternoon(findings: Findings, month: string, against: Other): Interval {
  return getInterval(findings, month, AFTERNOON, against);
}

/** The difference at some hours of a month. Throws when no partition gave it. */
export function getInterval(findings: Findings, month: string, hours: string, against: Other): Interval {
  const found = findings.intervals.find((interval) =>
    interval.month === month && interval.hours === hours && interval.against === against
  );
  if (found === undefined) throw new Error(`No result for ${hours} h of ${month} against ${against}`);
  return found;
}

/** Whether the whole interval says that JFK is cooler. */
export function isClearlyCooler(interval: Interval): boolean {
  return interval.highC < 0;
}

/** The months in which JFK's afternoons are clearly cooler than those of both others. */
export function coolMonths(findings: Findings): readonly string[] {
  return findings.months.filter((month) =>
    isClearlyCooler(getAfternoon(findings, month, "LGA")) &&
    isClearlyCooler(getAfternoon(findings, month, "EWR"))
  );
}

/** The `count` months in which JFK is coolest against LaGuardia, in the order of the year. */
export function coolestMonths(findings: Findings, count: number): readonly string[] {
  const depth = (month: string) => getAfternoon(findings, month, "LGA").meanC;
  return [...findings.months].sort((a, b) => depth(a) - depth(b)).slice(0, count).sort();
}

/** Mean temperature by hour of the day over some months. */
export function meanByHour(
  findings: Findings,
  months: readonly string[],
): Readonly<Record<Station, readonly number[]>> {
  const hours = Array.from({ length: 24 }, (_, hour) => hour);
  const ofHour = (hour: number) =>
    findings.tallies.filter((tally) => tally.hour === hour && months.includes(tally.month));
  const curve = (station: Station) => hours.map((hour) => meanOf(ofHour(hour), station));
  return { JFK: curve("JFK"), LGA: curve("LGA"), EWR: curve("EWR") };
}

/** Afternoon hours with such a wind at JFK: their share, and the mean differences in them. */
export function afternoonsWith(
  findings: Findings,
  options: { readonly months: readonly string[]; readonly wind: Wind },
): { readonly ratio: number; readonly againstC: Readonly<Record<Other, number>> } {
  const all = findings.tallies.filter((tally) =>
    tally.hour >= 12 && tally.hour <= 17 && options.months.includes(tally.month)
  );
  const chosen = all.filter((tally) => tally.wind === options.wind);
  const jfk = meanOf(chosen, "JFK");
  return {
    ratio: countHours(chosen) / countHours(all),
    againstC: { LGA: jfk - meanOf(chosen, "LGA"), EWR: jfk - meanOf(chosen, "EWR") },
  };
}

function countHours(tallies: readonly Tally[]): number {
  return tallies.reduce((sum, tally) => sum + tally.hourCount, 0);
}

function meanOf(tallies: readonly Tally[], station: Station): number {
  return tallies.reduce((sum, tally) => sum + tally.sums[station], 0) / countHours(tallies) / 10;
}

function parseRows(text: string, header: string): readonly (readonly string[])[] {
  const [first, ...lines] = text.trimEnd().split("\n");
  if (first !== header) throw new Error(`Wrong columns: expected "${header}", got "${first}"`);
  const width = header.split(",").length;
  return lines.map((line) => {
    const row = line.split(",");
    if (row.length !== width) throw new Error(`Wrong row: expected ${width} columns, got "${line}"`);
    return row;
  });
}

function toNumber(text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) throw new Error(`Not a number: "${text}"`);
  return value;
}

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* walk(path);
    if (entry.isFile) yield path;
  }
}
