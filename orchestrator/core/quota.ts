/** What a namespace may still hold. */
import type { Namespace } from "../../shared/model/namespace.ts";
import { DIMENSIONS, NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import { amount, NOUNS } from "./filters.ts";
import { type Refusal, STARTS_BY_ITSELF } from "./refusal.ts";

/** How many more executions that each need so much the quota has room for; and why there are not more. */
export interface QuotaRoom {
  readonly count: number;
  /** Set where the quota bounds the count. */
  readonly refusal?: Refusal;
}

/** No bound. */
const ENDLESS: QuotaRoom = { count: Infinity };

/** The tightest dimension decides; ties go to the first. */
export function quotaRoom(
  namespace: Namespace | undefined,
  { held, need }: { held: Resources; need: Resources },
): QuotaRoom {
  if (namespace === undefined) return ENDLESS;
  let room = ENDLESS;
  for (const dimension of DIMENSIONS) {
    const limit = namespace.quota[dimension];
    if (limit === undefined || need[dimension] === 0) continue;
    const count = Math.max(0, Math.floor((limit - held[dimension]) / need[dimension]));
    if (count >= room.count) continue;
    const all = { ...NO_RESOURCES, [dimension]: limit };
    const noun = NOUNS[dimension](limit);
    room = {
      count,
      refusal: {
        isLasting: false,
        message: `namespace "${namespace.name}" holds ${amount(dimension, held)} of ${
          amount(dimension, all)
        } ${noun} of its quota, the job asks for ${amount(dimension, need)}`,
        hint: `${STARTS_BY_ITSELF} other work of the namespace has ended, or its quota is raised`,
      },
    };
  }
  return room;
}
