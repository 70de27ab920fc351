/** The queries of the doors, on the rows. */
import { AppError } from "../../shared/errors.ts";
import { parseBody } from "../../shared/ledger/body.ts";
import { HistoryEvent, type HistoryItem } from "../../shared/model/history.ts";
import { matches } from "../../shared/model/constraint.ts";
import type { Execution } from "../../shared/model/execution.ts";
import type { ExecutionId, JobId } from "../../shared/model/ids.ts";
import { type Job, JOB_TERMINAL } from "../../shared/model/job.ts";
import type { Node } from "../../shared/model/node.ts";
import { dominantShare } from "../../shared/model/resources.ts";
import { unbounded } from "./namespaces.ts";
import { type Load, NO_LOAD } from "./loads.ts";
import { jobAt, type JobRow } from "./jobs.ts";
import type {
  ExecutionQuery,
  HistoryQuery,
  JobQuery,
  LatestQuery,
  NamespaceView,
  Page,
  Queries,
  ResultQuery,
} from "./queries.ts";
import type { Store } from "./store.ts";

/** Rows read at a time while looking for matches. */
const SCAN_ROWS = 200;
/** Rows looked at for one page: bounds a query that matches nearly nothing. The page then ends early, with a cursor. */
const SCAN_MAX = 20_000;

/** Reads straight from the store; every answer is current. */
export function openQueries(store: Store): Queries {
  const rowOf = (id: JobId): JobRow => {
    const found = store.jobs.find(id);
    if (found === undefined) throw jobNotFound(id);
    return found;
  };
  return {
    getJob: (idOrName, namespace) => findJob(store, idOrName, namespace ?? "default"),
    getJobVersion(id, version) {
      const found = store.jobs.listVersions(rowOf(id)).find((job) => job.version === version);
      if (found !== undefined) return found;
      throw new AppError("not_found", `job ${id} has no version ${version}`, {
        hint: `"skerry job versions ${id}" lists its versions`,
      });
    },
    listJobs: (query) => listJobs(store, query),
    listVersions: (id) => store.jobs.listVersions(rowOf(id)),
    getExecution: (id) => getExecution(store, id),
    listExecutions: (id, query) => listExecutions(store, { jobRow: rowOf(id), query }),
    walkLatest: (id, query) => walkLatest(store, { jobRow: rowOf(id), query }),
    listResults: (id, query) => listResults(store, { jobRow: rowOf(id), query }),
    listHistory: (id, query) => listHistory(store, { jobRow: rowOf(id), query }),
    listNodes() {
      const loads = store.loads.all();
      return store.projection.nodes.map(({ node }) => withLoad(node, loads.get(node.facts.id)));
    },
    listNamespaces: () => listNamespaces(store),
    getNamespace(name) {
      const found = listNamespaces(store).find(({ namespace }) => namespace.name === name);
      if (found === undefined) {
        throw new AppError("not_found", `namespace not found: ${name}`, {
          hint: 'List those that are set up or in use with "skerry namespace list"',
        });
      }
      return found;
    },
    defaultsOf: (namespace) => store.namespaces.find(namespace)?.defaults ?? {},
    getNode(id) {
      const node = getNode(store, id);
      return withLoad(node, store.loads.on(node.facts.id));
    },
  };
}

const jobNotFound = (id: string) =>
  new AppError("not_found", `job not found: ${id}`, {
    hint: 'List the jobs that exist with "skerry job list"',
  });

function findJob(store: Store, idOrName: string, namespace: string): Job {
  const named = store.jobs.findByName(idOrName, namespace) ?? store.jobs.find(idOrName as JobId);
  if (named !== undefined) return named.job;
  const prefixed = idOrName === ""
    ? []
    : store.jobs.findByPrefix(idOrName.startsWith("j-") ? idOrName : `j-${idOrName}`);
  if (prefixed.length > 1) {
    throw new AppError("ambiguous", `several jobs match the prefix "${idOrName}"`, {
      hint: "Use the full job ID",
    });
  }
  if (prefixed[0] === undefined) throw jobNotFound(idOrName);
  return prefixed[0].job;
}

function getExecution(store: Store, id: string) {
  const exact = store.executions.find(id);
  if (exact !== undefined) return exact.execution;
  const prefixed = id === "" ? [] : store.executions.findByPrefix(id.startsWith("e-") ? id : `e-${id}`);
  if (prefixed.length > 1) {
    throw new AppError("ambiguous", `several executions match the prefix "${id}"`, {
      hint: "Use the full execution ID",
    });
  }
  if (prefixed[0] === undefined) {
    throw new AppError("not_found", `execution not found: ${id}`, {
      hint: 'List the executions of a job with "skerry job executions JOB"',
    });
  }
  return prefixed[0].execution;
}

function getNode(store: Store, id: string): Node {
  const nodes = store.projection.nodes.map(({ node }) => node);
  const exact = nodes.find(({ facts }) => facts.id === id || facts.labels.name === id);
  if (exact !== undefined) return exact;
  const prefixed = id === ""
    ? []
    : nodes.filter(({ facts }) => facts.id.startsWith(id) || facts.id.startsWith(`n-${id}`));
  if (prefixed.length > 1) {
    throw new AppError("ambiguous", `several nodes match the prefix "${id}"`, {
      hint: "Use the full node ID",
    });
  }
  if (prefixed[0] === undefined) throw new AppError("not_found", `node not found: ${id}`);
  return prefixed[0];
}

/** What this home knows of its own executions there is newer than the node's last sign of life. */
function withLoad(node: Node, { running, waiting }: Load = NO_LOAD): Node {
  return {
    ...node,
    load: {
      ...node.load,
      allocated: running.resources,
      queued: waiting.resources,
      runningCount: running.count,
      queuedCount: waiting.count,
    },
  };
}

function isWanted({ job }: JobRow, { namespace, labels, phases }: JobQuery): boolean {
  if (namespace !== undefined && job.spec.namespace !== namespace) return false;
  if (phases !== undefined && !phases.includes(job.phase)) return false;
  return (labels ?? []).every((constraint) => matches(constraint, job.spec.labels));
}

function listJobs(store: Store, query: JobQuery): Page<Job> {
  return query.orderBy === "modified" ? listModified(store, query) : listCreated(store, query);
}

function listCreated(store: Store, query: JobQuery): Page<Job> {
  const isReversed = query.isReversed ?? false;
  const isLive = query.phases !== undefined && query.phases.every((phase) => !JOB_TERMINAL.has(phase));
  let after = query.cursor === undefined
    ? (isReversed ? Number.MAX_SAFE_INTEGER : 0)
    : decodeCursor(query.cursor)[0];
  const items: Job[] = [];
  for (let scanned = 0; scanned < SCAN_MAX; scanned += SCAN_ROWS) {
    const rows = store.jobs.scan({
      after,
      isReversed,
      limit: Math.min(SCAN_ROWS, query.limit * 4 + 1),
      isLive,
    });
    for (const row of rows) {
      if (items.length === query.limit) return { items, next: encodeCursor(after, 0) };
      after = row.row;
      if (isWanted(row, query)) items.push(row.job);
    }
    if (rows.length === 0) return { items };
  }
  return { items, next: encodeCursor(after, 0) };
}

function listModified(store: Store, query: JobQuery): Page<Job> {
  const isReversed = query.isReversed ?? false;
  const start = isReversed ? Number.MAX_SAFE_INTEGER : -1;
  const [atMs, row] = query.cursor === undefined ? [start, start] : decodeCursor(query.cursor);
  let after = { atMs, row };
  const items: Job[] = [];
  let scanned = 0;
  for (const found of store.jobs.walkModified({ after, isReversed })) {
    if (items.length === query.limit || scanned++ === SCAN_MAX) {
      return { items, next: encodeCursor(after.atMs, after.row) };
    }
    after = { atMs: found.job.modifiedAtMs, row: found.row };
    if (isWanted(found, query)) items.push(found.job);
  }
  return { items };
}

function listExecutions(store: Store, { jobRow, query }: { jobRow: JobRow; query: ExecutionQuery }) {
  const isReversed = query.isReversed ?? false;
  const orderBy = query.orderBy ?? "created";
  const start = isReversed ? Number.MAX_SAFE_INTEGER : -1;
  const [key, row] = query.cursor === undefined ? [start, start] : decodeCursor(query.cursor);
  const rows = store.executions.scan({
    jobRow: jobRow.row,
    version: query.version ?? jobRow.job.version,
    after: { key, row },
    orderBy,
    isReversed,
    limit: query.limit + 1,
  });
  const items = rows.slice(0, query.limit).map(({ execution }) => execution);
  if (rows.length <= query.limit) return { items };
  const last = rows[query.limit - 1]!;
  return {
    items,
    next: encodeCursor(orderBy === "created" ? last.row : last.execution.modifiedAtMs, last.row),
  };
}

function* walkLatest(
  store: Store,
  { jobRow: { row, job }, query }: { jobRow: JobRow; query: LatestQuery },
): Iterable<ExecutionId> {
  const { partition: only, version = job.version } = query;
  const newest = version === "all" ? job.version : version;
  const versions = version === "all" ? Array.from({ length: newest }, (_, at) => newest - at) : [newest];
  const end = only === undefined
    ? Math.max(...versions.map((one) => store.executions.nextPartition(row, one)))
    : only + 1;
  for (let partition = only ?? 0; partition < end; partition++) {
    for (const jobVersion of versions) {
      const id = store.executions.findLatest({ jobRow: row, jobVersion, partition });
      if (id === undefined) continue;
      yield id;
      break;
    }
  }
}

function listResults(
  store: Store,
  { jobRow, query }: { jobRow: JobRow; query: ResultQuery },
): Page<Execution> {
  const { row, job } = jobRow;
  const [from] = query.cursor === undefined ? [0] : decodeCursor(query.cursor);
  const { version: jobVersion = job.version } = query;
  const end = store.executions.nextPartition(row, jobVersion);
  const until = Math.min(end, from + query.limit);
  const items: Execution[] = [];
  for (let partition = from; partition < until; partition++) {
    const left = store.executions.findResult({ jobRow: row, jobVersion, partition });
    if (left !== undefined) items.push(left);
  }
  return until < end ? { items, next: encodeCursor(until, 0) } : { items };
}

function listHistory(
  store: Store,
  { jobRow, query }: { jobRow: JobRow; query: HistoryQuery },
): Page<HistoryItem> {
  const start = query.isReversed ? Number.MAX_SAFE_INTEGER : query.afterSeq ?? 0;
  const [after] = query.cursor === undefined ? [start] : decodeCursor(query.cursor);
  const version = query.version ?? jobRow.job.version;
  const level = query.level ?? "all";
  const wanted = version === "all" ? 0 : version;
  const id = query.executionId ?? "";
  const sql = `SELECT seq, job_version, execution_id, at_ms, body FROM ledger
     WHERE subject = ? AND seq ${query.isReversed ? "<" : ">"} ? AND (? = 0 OR job_version = ?)
       AND (? = '' OR execution_id = ?) AND (? <> 'job' OR execution_id IS NULL) AND (? <> 'execution' OR execution_id IS NOT NULL)
       AND at_ms >= ?
     ORDER BY seq ${query.isReversed ? "DESC" : "ASC"} LIMIT ?`;
  const { row, job } = jobRow;
  const items = store.damaged.page<HistoryItem>({
    limit: query.limit + 1,
    next: (last, limit) => {
      const from = Number(last?.seq ?? after);
      const filters = [wanted, wanted, id, id, level, level, query.sinceMs ?? 0];
      return store.database.all(sql, row, from, ...filters, limit);
    },
    read: (entry) => ({
      ...parseBody(HistoryEvent, entry.body),
      seq: Number(entry.seq),
      jobId: job.id,
      jobVersion: Number(entry.job_version),
      executionId: entry.execution_id === null ? undefined : entry.execution_id as ExecutionId,
      atMs: Number(entry.at_ms),
    }),
    about: ({ seq }) => `event ${seq} of ${jobAt(row)}`,
  });
  if (items.length <= query.limit) return { items };
  const page = items.slice(0, query.limit);
  return { items: page, next: encodeCursor(page.at(-1)!.seq, 0) };
}

function encodeCursor(key: number, row: number): string {
  return `${key}.${row}`;
}

function decodeCursor(cursor: string): [number, number] {
  const match = /^(-?\d{1,16})\.(-?\d{1,16})$/.exec(cursor);
  if (match === null) {
    throw new AppError(
      "bad_request",
      `Cannot read the page token "${cursor}": it must be one of an earlier answer`,
      {
        hint: "Leave it out to start from the first page",
      },
    );
  }
  return [Number(match[1]), Number(match[2])];
}

function listNamespaces({ namespaces, projection: { accounts } }: Store): readonly NamespaceView[] {
  const counts = namespaces.liveJobCounts();
  const names = new Set([
    ...namespaces.all().map(({ name }) => name),
    ...counts.keys(),
    ...accounts.namespaces,
  ]);
  return [...names].sort().map((name) => {
    const known = namespaces.find(name);
    const held = accounts.heldBy(name);
    return {
      namespace: known ?? unbounded(name),
      isSetUp: known !== undefined,
      held,
      share: dominantShare(held, accounts.total),
      liveJobCount: counts.get(name) ?? 0,
    };
  });
}
