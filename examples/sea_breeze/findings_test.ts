import assert from "node:assert/strict";
import {
  afternoonsWith,
  coolestMonths,
  coolMonths,
  type Findings,
  getAfternoon,
  meanByHour,
  parseIntervals,
  parseTallies,
  readFindings,
} from "./findings.ts";

const TALLIES = "month,hour,wind,hours,jfk_dc,lga_dc,ewr_dc";
const INTERVALS = "month,hours,against,observations,mean_c,low_c,high_c";

function findingsOf(tallies: readonly string[], intervals: readonly string[] = []): Findings {
  const parsed = parseTallies([TALLIES, ...tallies, ""].join("\n"));
  return {
    months: [...new Set(parsed.map((tally) => tally.month))].sort(),
    tallies: parsed,
    intervals: parseIntervals([INTERVALS, ...intervals, ""].join("\n")),
  };
}

Deno.test("meanByHour() weighs by hours, over winds and months", () => {
  const findings = findingsOf([
    "2013-05,7,ocean,1,100,200,300",
    "2013-05,7,land,2,260,400,600",
    "2013-06,7,calm,1,240,0,-300",
    "2013-07,7,calm,9,9999,9999,9999",
  ]);
  const means = meanByHour(findings, ["2013-05", "2013-06"]);
  assert.equal(means.JFK[7], 15);
  assert.equal(means.LGA[7], 15);
  assert.equal(means.EWR[7], 15);
  assert.ok(Number.isNaN(means.JFK[8]));
});

Deno.test("afternoonsWith() counts from 12 to 17 h only, and subtracts the other from JFK", () => {
  const findings = findingsOf([
    "2013-06,11,ocean,5,0,0,0",
    "2013-06,12,ocean,1,100,120,130",
    "2013-06,17,land,3,300,300,270",
    "2013-06,18,ocean,5,0,0,0",
  ]);
  const ocean = afternoonsWith(findings, { months: ["2013-06"], wind: "ocean" });
  assert.deepEqual(ocean, { ratio: 0.25, againstC: { LGA: -2, EWR: -3 } });
  const land = afternoonsWith(findings, { months: ["2013-06"], wind: "land" });
  assert.deepEqual(land, { ratio: 0.75, againstC: { LGA: 0, EWR: 1 } });
});

Deno.test("coolMonths() wants both intervals below zero; coolestMonths() goes by LaGuardia", () => {
  const month = (name: string, lga: string, ewr: string) => [
    `${name},12-17,LGA,180,${lga}`,
    `${name},12-17,EWR,180,${ewr}`,
  ];
  const findings = findingsOf(
    ["2013-04,1,land,1,1,1,1", "2013-05,1,land,1,1,1,1", "2013-06,1,land,1,1,1,1"],
    [
      ...month("2013-06", "-1.0,-2.0,-0.1", "-1.0,-2.0,-0.1"),
      ...month("2013-05", "-3.0,-4.0,0.0", "-1.0,-2.0,-0.1"),
      ...month("2013-04", "-2.0,-2.5,-1.5", "-1.0,-1.5,-0.5"),
    ],
  );
  assert.deepEqual(coolMonths(findings), ["2013-04", "2013-06"]);
  assert.deepEqual(coolestMonths(findings, 2), ["2013-04", "2013-05"]);
  assert.equal(getAfternoon(findings, "2013-04", "LGA").meanC, -2);
});

Deno.test("a result that is cut or of other columns is refused", () => {
  assert.throws(() => parseTallies(`${TALLIES}\n2013-05,7,ocean,1,100`), /expected 7 columns/);
  assert.throws(() => parseTallies("a,b\n1,2"), /Wrong columns/);
  assert.throws(() => parseIntervals(`${INTERVALS}\n2013-05,7,LGA,1,,0,0`), /Not a number/);
  assert.throws(() => getAfternoon(findingsOf([]), "2013-05", "LGA"), /No result for 12-17 h of 2013-05/);
});

Deno.test("readFindings() finds the files of all partitions, one folder each or merged", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/a/outputs`, { recursive: true });
    await Deno.writeTextFile(
      `${folder}/a/outputs/2013-06-hours.csv`,
      `${TALLIES}\n2013-06,0,land,1,1,2,3\n`,
    );
    await Deno.writeTextFile(`${folder}/2013-05-hours.csv`, `${TALLIES}\n2013-05,0,land,1,1,2,3\n`);
    await Deno.writeTextFile(`${folder}/2013-05-intervals.csv`, `${INTERVALS}\n2013-05,0,LGA,1,1,0,2\n`);
    await Deno.writeTextFile(`${folder}/stdout`, "2013-05: done\n");
    const findings = await readFindings(folder);
    assert.deepEqual(findings.months, ["2013-05", "2013-06"]);
    assert.equal(findings.tallies.length, 2);
    assert.equal(findings.intervals.length, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
