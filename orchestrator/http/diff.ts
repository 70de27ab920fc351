/** Two texts compared line by line. */
import { LIMITS } from "../../shared/limits.ts";

/** Lines with `+ `, `- ` or two spaces before them; empty when nothing differs. */
export function diffTexts(before: string, after: string): string {
  if (before === after) return "";
  const [old, now] = [before === "" ? [] : before.split("\n"), after === "" ? [] : after.split("\n")];
  const isBounded = old.length <= LIMITS.diffLinesMax && now.length <= LIMITS.diffLinesMax;
  const lines = isBounded
    ? align(old, now)
    : [...old.map((line) => `- ${line}`), ...now.map((line) => `+ ${line}`)];
  return `${lines.join("\n")}\n`;
}

/** Longest common subsequence, by dynamic programming. */
function align(old: readonly string[], now: readonly string[]): string[] {
  const width = now.length + 1;
  const lengths = new Uint16Array((old.length + 1) * width);
  for (let a = old.length - 1; a >= 0; a--) {
    for (let b = now.length - 1; b >= 0; b--) {
      lengths[a * width + b] = old[a] === now[b]
        ? lengths[(a + 1) * width + b + 1]! + 1
        : Math.max(lengths[(a + 1) * width + b]!, lengths[a * width + b + 1]!);
    }
  }
  const lines: string[] = [];
  let [a, b] = [0, 0];
  while (a < old.length || b < now.length) {
    if (a < old.length && b < now.length && old[a] === now[b]) lines.push(`  ${old[(b++, a++)]}`);
    else if (
      b >= now.length || (a < old.length && lengths[(a + 1) * width + b]! >= lengths[a * width + b + 1]!)
    ) {
      lines.push(`- ${old[a++]}`);
    } else lines.push(`+ ${now[b++]}`);
  }
  return lines;
}
