/** Whose turn it is: dominant resource fairness (Ghodsi et al., NSDI 2011), with weights. */
/** How much of the whole one turn may add beyond the share of the next in line: keeps turns few on large fleets. */
const OVERSHOOT = 0.01;

/**
 * How many executions somebody may have placed in one turn: until its share has come to that of the next in line, and a
 * little more; at least one. `step` is what one execution adds to its share.
 */
export function turnMax(
  { share, step, nextShare }: { share: number; step: number; nextShare: number | undefined },
): number {
  if (nextShare === undefined || step === 0) return Infinity;
  return Math.max(1, Math.ceil((nextShare - share) / step), Math.floor(OVERSHOOT / step));
}
