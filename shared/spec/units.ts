/** Amounts as people write them: cores, bytes and durations, there and back. */

const KIB = 1024;
const KB = 1000;

/** Suffix → factor, in lower case. `kb` is 1000 and `kib` 1024, as in Bacalhau's job specs. */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  ...powers(["k", "m", "g", "t", "p", "e"]),
};

function powers(letters: readonly string[]): Record<string, number> {
  return Object.fromEntries(letters.flatMap((letter, at) => {
    const [binary, decimal] = [KIB ** (at + 1), KB ** (at + 1)];
    return [[`${letter}ib`, binary], [`${letter}i`, binary], [`${letter}b`, decimal], [letter, decimal]];
  }));
}

/**
 * Thousandths of a core from `500m`, `2` or `0.1` (Kubernetes' notation); finer than a thousandth is rounded up.
 * `undefined` when the text is none.
 */
export function parseCpu(text: string): number | undefined {
  const found = /^(\d{1,15})(?:(m)|(\.\d{1,15})?)$/i.exec(text.trim());
  if (!found) return undefined;
  const [, whole = "", milli, fraction = ""] = found;
  if (milli) return Number(whole);
  const digits = fraction.slice(1).padEnd(3, "0");
  const isFiner = /[1-9]/.test(digits.slice(3));
  return Number(whole) * 1000 + Number(digits.slice(0, 3)) + (isFiner ? 1 : 0);
}

/** `2`, or `1500m` when it is no whole number of cores. */
export function formatCpu(cpuMillis: number): string {
  return cpuMillis % 1000 === 0 ? String(cpuMillis / 1000) : `${cpuMillis}m`;
}

/**
 * Bytes from `512Mb` (decimal), `1GiB` (binary), `1.5 GB` or `1024`; any casing, rounded down.
 * `undefined` when the text is none or beyond what a number holds exactly.
 */
export function parseBytes(text: string): number | undefined {
  const found = /^(\d[\d,]{0,19}|(?=\.\d))(\.\d{1,15})?\s*([a-z]{0,3})$/i.exec(text.trim());
  if (!found) return undefined;
  const [, whole = "", fraction = "", unit = ""] = found;
  const factor = Object.hasOwn(BYTE_UNITS, unit.toLowerCase()) ? BYTE_UNITS[unit.toLowerCase()] : undefined;
  if (factor === undefined) return undefined;
  const bytes = Math.floor(Number(`${whole.replaceAll(",", "") || "0"}${fraction}`) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest exact form: `512MB`, `1GiB`, `1025B`. `parseBytes` reads the same number back. */
export function formatBytes(bytes: number): string {
  if (bytes === 0) return "0B";
  const letters = ["P", "T", "G", "M", "K"];
  for (const [at, letter] of letters.entries()) {
    const power = letters.length - at;
    if (bytes % KIB ** power === 0) return `${bytes / KIB ** power}${letter}iB`;
    if (bytes % KB ** power === 0) return `${bytes / KB ** power}${letter}B`;
  }
  return `${bytes}B`;
}

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Ms from `10s`, `1m30s`, `1.5h` or `250ms`. `undefined` when the text is none. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (!/^(?:\d{1,12}(?:\.\d{1,6})?(?:ms|s|m|h|d)){1,5}$/.test(trimmed)) return undefined;
  let totalMs = 0;
  for (const [, amount = "", unit = ""] of trimmed.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * (DURATION_MS[unit] ?? 0);
  }
  const rounded = Math.round(totalMs);
  return Number.isSafeInteger(rounded) ? rounded : undefined;
}

/** `1h30m`, `10s`, `250ms`: exact for whole ms. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return "0s";
  let rest = durationMs;
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const amount = Math.floor(rest / (DURATION_MS[unit] ?? 1));
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * (DURATION_MS[unit] ?? 1);
  }
  return text;
}
