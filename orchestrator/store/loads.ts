/** What live executions hold, summed up by node and by namespace. The projection follows it from then on. */
import type { Database, SqlRow } from "../../shared/ledger/database.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { add, NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import type { Placed } from "../core/node.ts";
import { LIVE } from "./executions.ts";

/** Executions of a node together. */
export interface Held {
  readonly count: number;
  readonly resources: Resources;
  /** That their tasks name. */
  readonly hostPorts: readonly number[];
}

/** What runs on a node, and what waits there, by the last reports. */
export interface Load {
  readonly running: Held;
  readonly waiting: Held;
}

const NOTHING: Held = { count: 0, resources: NO_RESOURCES, hostPorts: [] };
/** Nothing is there. */
export const NO_LOAD: Load = { running: NOTHING, waiting: NOTHING };

const SUMS =
  "sum(cpu_millis) AS cpu, sum(memory_bytes) AS memory, sum(disk_bytes) AS disk, sum(gpu_count) AS gpu";

/** Sums up. */
export class Loads {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** What is placed on each node. Cost: one pass over all live executions. */
  placed(): ReadonlyMap<NodeId, Placed> {
    return new Map([...this.all()].map(([id, load]) => [id, toPlaced(load)]));
  }

  /** The same of one node. */
  placedOn(nodeId: NodeId): Placed {
    return toPlaced(this.on(nodeId));
  }

  /** By the namespace of their job. Cost: one pass over all live executions. */
  heldByNamespace(): ReadonlyMap<string, Resources> {
    const rows = this.#database.all(
      `SELECT jobs.namespace, ${SUMS} FROM executions INDEXED BY executions_live JOIN jobs ON jobs.row = job_row
       WHERE executions.${LIVE} GROUP BY jobs.namespace`,
    );
    return new Map(rows.map((row) => [String(row.namespace), toResources(row)]));
  }

  /** Every node's. Cost: one pass over all live executions. */
  all(): ReadonlyMap<NodeId, Load> {
    return this.#sums("");
  }

  /** One node's. Cost: one pass over their index. */
  on(nodeId: NodeId): Load {
    return this.#sums("AND node_id = ?", nodeId).get(nodeId) ?? NO_LOAD;
  }

  #sums(where: string, ...values: string[]): ReadonlyMap<NodeId, Load> {
    const rows = this.#database.all(
      `SELECT node_id, phase IN ('placed', 'queued') AS waits, count(*) AS count, ${SUMS}, group_concat(host_ports) AS ports
       FROM executions INDEXED BY executions_live WHERE ${LIVE} ${where} GROUP BY node_id, waits`,
      ...values,
    );
    const loads = new Map<NodeId, Load>();
    for (const row of rows) {
      const id = row.node_id as NodeId;
      const hostPorts = row.ports === null ? [] : String(row.ports).split(",").map(Number);
      const held = { count: Number(row.count), resources: toResources(row), hostPorts };
      const load = loads.get(id) ?? NO_LOAD;
      loads.set(id, Number(row.waits) === 1 ? { ...load, waiting: held } : { ...load, running: held });
    }
    return loads;
  }
}

function toPlaced({ running, waiting }: Load): Placed {
  const hostPorts = [...running.hostPorts, ...waiting.hostPorts];
  return {
    allocated: add(running.resources, waiting.resources),
    waitingCount: waiting.count,
    ...(hostPorts.length > 0 && { hostPorts }),
  };
}

function toResources(row: SqlRow): Resources {
  return {
    cpuMillis: Number(row.cpu),
    memoryBytes: Number(row.memory),
    diskBytes: Number(row.disk),
    gpuCount: Number(row.gpu),
  };
}
