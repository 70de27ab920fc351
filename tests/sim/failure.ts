/** A failure in words, with the one command that replays it. */
import type { RunReport } from "./world.ts";

/** What a failure prints. */
export function describeFailure({ seed, violation, tail }: RunReport): string {
  return [
    `Seed ${seed} broke the rule: ${violation!.rule}`,
    `  ${violation!.detail}`,
    "The last of what happened:",
    ...tail.slice(-25).map((line) => `  ${line.slice(0, 240)}`),
    "Replay it with:",
    `  deno task sim --seed ${seed}`,
  ].join("\n");
}
