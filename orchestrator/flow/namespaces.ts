/** Namespaces as operators set them up: their weight, what tasks get and may ask for, and what they may hold in all. */
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Amounts, Namespace } from "../../shared/model/namespace.ts";
import { DIMENSIONS, type Resources } from "../../shared/model/resources.ts";
import { unbounded } from "../store/namespaces.ts";
import type { Store } from "../store/store.ts";

/** Amounts to set; undefined removes one, what is absent stays. */
export type AmountChanges = { readonly [Name in keyof Resources]?: Resources[Name] | undefined };

/** What to set; what is absent stays as it is. */
export interface NamespaceChange {
  readonly weight?: number;
  readonly defaults?: AmountChanges;
  readonly maxima?: AmountChanges;
  readonly quota?: AmountChanges;
  /** Undefined: no bound any more. */
  readonly jobsMax?: number | undefined;
}

/** Sets a namespace up, or changes it. What runs goes on, whatever the new bounds are. Errors: `invalid`, `exhausted`. */
export function setNamespace(
  { store, nudgeTurn }: { store: Store; nudgeTurn: () => void },
  name: string,
  change: NamespaceChange,
): Namespace {
  const known = store.namespaces.find(name);
  if (known === undefined && store.namespaces.count >= LIMITS.namespacesMax) {
    throw new AppError("exhausted", `Cannot set up namespace "${name}": there are ${LIMITS.namespacesMax}`, {
      hint: "Delete one that is not used any more",
    });
  }
  const nowMs = store.nowMs();
  const before = known ?? { ...unbounded(name), createdAtMs: nowMs };
  const { jobsMax, ...kept } = before;
  const jobsBound = "jobsMax" in change ? change.jobsMax : jobsMax;
  const after: Namespace = {
    ...kept,
    weight: change.weight ?? before.weight,
    defaults: changed(before.defaults, change.defaults),
    maxima: changed(before.maxima, change.maxima),
    quota: changed(before.quota, change.quota),
    ...(jobsBound !== undefined && { jobsMax: jobsBound }),
    modifiedAtMs: nowMs,
  };
  for (const dimension of DIMENSIONS) {
    const [given, most] = [after.defaults[dimension], after.maxima[dimension]];
    if (given === undefined || most === undefined || given <= most) continue;
    throw new AppError(
      "invalid",
      `Cannot set up namespace "${name}": a default must be at most the maximum`,
      {
        hint: "A task that asks for nothing would be refused",
      },
    );
  }
  store.transaction(() => {
    store.namespaces.put(after);
    // A larger quota, or another weight, may let something go on.
    store.waiting.nodesChanged();
  });
  nudgeTurn();
  return after;
}

/** It has no bounds any more; its jobs stay. Errors: `not_found`. */
export function deleteNamespace(
  { store, nudgeTurn }: { store: Store; nudgeTurn: () => void },
  name: string,
): void {
  if (store.namespaces.find(name) === undefined) {
    throw new AppError("not_found", `Cannot delete namespace "${name}": nobody has set it up`);
  }
  store.transaction(() => {
    store.namespaces.delete(name);
    store.waiting.nodesChanged();
  });
  nudgeTurn();
}

function changed(before: Amounts, change: AmountChanges = {}): Amounts {
  const all = { ...before, ...change };
  return Object.fromEntries(
    DIMENSIONS.flatMap((dimension) => all[dimension] === undefined ? [] : [[dimension, all[dimension]]]),
  );
}
