/** Words for people: ages, amounts, and text from elsewhere made harmless. */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `12s ago`, `3m ago`; `unknown` for a moment that never was. */
export function age(atMs: number, nowMs: number): string {
  return atMs <= 0 ? "unknown" : `${span(Math.max(0, nowMs - atMs))} ago`;
}

/** The largest unit, and the next one while it still says something: `12s`, `3m20s`, `2h5m`, `5d`. */
export function span(durationMs: number): string {
  if (durationMs < MINUTE_MS) return `${Math.floor(durationMs / SECOND_MS)}s`;
  const [large, small, largeMs, smallMs] = durationMs < 10 * MINUTE_MS
    ? ["m", "s", MINUTE_MS, SECOND_MS] as const
    : durationMs < HOUR_MS
    ? ["m", "", MINUTE_MS, MINUTE_MS] as const
    : durationMs < DAY_MS
    ? ["h", "m", HOUR_MS, MINUTE_MS] as const
    : ["d", "", DAY_MS, DAY_MS] as const;
  const rest = Math.floor((durationMs % largeMs) / smallMs);
  return `${Math.floor(durationMs / largeMs)}${large}${small && rest ? `${rest}${small}` : ""}`;
}

/** `2026-03-01T12:00:00Z`, by the clock of UTC. */
export function moment(atMs: number): string {
  return atMs <= 0 ? "unknown" : new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z");
}

/** `1.5 GB`: for people, at most three digits. */
export function amountOfBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let [amount, unit] = [bytes, 0];
  while (amount >= 999.5 && unit < units.length - 1) [amount, unit] = [amount / 1000, unit + 1];
  return `${amount < 10 && unit > 0 ? amount.toFixed(1).replace(/\.0$/, "") : Math.round(amount)} ${
    units[unit]
  }`;
}

/** `1 partition`, `2 partitions` */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** `0-2, 5`; the first ranges, and how many numbers are not among them. Sorted numbers, each once. */
export function ranges(numbers: readonly number[], { shownMax = 12 } = {}): string {
  const found: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const latest = found.at(-1);
    if (latest && number === latest.last + 1) latest.last = number;
    else found.push({ first: number, last: number });
  }
  const shown = found.slice(0, shownMax);
  const hidden = found.slice(shownMax).reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const texts = shown.map(({ first, last }) => first === last ? String(first) : `${first}-${last}`);
  return `${texts.join(", ")}${hidden ? ` and ${hidden} more` : ""}`;
}

/** Control characters but for tab and line feed, and those that are invisible or change the direction of text. */
const HARMFUL = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** Without anything that a terminal would obey. */
export function harmless(text: string): string {
  return text.replace(HARMFUL, (char) => {
    if (char === "\n" || char === "\t") return char;
    return char === "\r" ? "" : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** The same on one line. */
export function oneLine(text: string): string {
  return harmless(text.replace(/\s+/g, " ").trim());
}

/** Each line moved to the right. */
export function indent(text: string, by = "  "): string {
  return text.split("\n").map((line) => line === "" ? line : `${by}${line}`).join("\n");
}

/** `j-0123abcd` of a full id; anything else as it is. */
export function short(id: string): string {
  return /^[a-z]-[0-9a-f]{8}-[0-9a-f-]{27}$/.test(id) ? id.slice(0, 10) : id;
}
