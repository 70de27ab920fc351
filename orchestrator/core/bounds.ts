/** What a namespace lets one job ask for. */
import { AppError } from "../../shared/errors.ts";
import type { JobSpec } from "../../shared/model/job.ts";
import type { Namespace } from "../../shared/model/namespace.ts";
import { DIMENSIONS, NO_RESOURCES } from "../../shared/model/resources.ts";
import { amount, FIELDS } from "./filters.ts";

/**
 * Throws where the namespace speaks against the job: `invalid` for a task that is too large for it, `exhausted` while it has
 * as many jobs as it may have. `liveJobCount`: its other jobs that have not ended.
 */
export function demandWithinBounds(
  { name, task }: JobSpec,
  { namespace, liveJobCount }: { namespace: Namespace | undefined; liveJobCount: () => number },
): void {
  if (namespace === undefined) return;
  const cannot = `Cannot submit job${name === "" ? "" : ` "${name}"`}`;
  const where = `in namespace "${namespace.name}"`;
  for (const dimension of DIMENSIONS) {
    const bounds = {
      "may ask for": namespace.maxima[dimension],
      "may have in all": namespace.quota[dimension],
    };
    for (const [what, limit] of Object.entries(bounds)) {
      if (limit === undefined || task.resources[dimension] <= limit) continue;
      const most = amount(dimension, { ...NO_RESOURCES, [dimension]: limit });
      throw new AppError(
        "invalid",
        `${cannot}: Resources.${
          FIELDS[dimension]
        } must be at most ${most}, which is what a task ${what} ${where}, current value is ${
          amount(dimension, task.resources)
        }`,
        { hint: `Ask for less, or let an operator change it with "skerry namespace set ${namespace.name}"` },
      );
    }
  }
  const { jobsMax } = namespace;
  if (jobsMax === undefined) return;
  const count = liveJobCount();
  if (count < jobsMax) return;
  throw new AppError(
    "exhausted",
    `${cannot}: ${count} jobs ${where} have not ended, and it may have ${jobsMax}`,
    { hint: "Try again when one has ended, or stop one" },
  );
}
