/** Rows of jobs. Every write belongs to the caller's transaction. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { encodeBody, parseBody, parseStored } from "../../shared/ledger/body.ts";
import type { Damaged } from "../../shared/ledger/damaged.ts";
import type { Database, SqlRow } from "../../shared/ledger/database.ts";
import type { Lifetime } from "../../shared/ledger/lifetime.ts";
import type { JobId } from "../../shared/model/ids.ts";
import { Job, JOB_TERMINAL, JobSpec } from "../../shared/model/job.ts";

import { LIVE } from "./executions.ts";

/** A job with the number of its row, which other rows refer to. */
export interface JobRow {
  readonly row: number;
  readonly job: Job;
}

const JobBody = Job.omit({
  id: true,
  spec: true,
  version: true,
  phase: true,
  createdAtMs: true,
  modifiedAtMs: true,
});
type JobBody = z.infer<typeof JobBody>;

/** Same spec, same hash. */
export function hashOfSpec(spec: JobSpec): string {
  return createHash("sha256").update(JSON.stringify(spec)).digest("base64url");
}

/** A job's record, as it is named when it is damaged. */
export const jobAt = (row: number): string => `job in row ${row}`;

/** When a job changed last: the key of a list in that order. */
export interface Change {
  readonly atMs: number;
  readonly row: number;
}

const toChange = (row: SqlRow): Change => ({ atMs: Number(row.modified_at_ms), row: Number(row.row) });
const isBefore = (a: Change, b: Change): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.row < b.row);

const COLUMNS = "row, id, version, phase, created_at_ms, modified_at_ms, jobs.body AS body";
const SELECT = `SELECT ${COLUMNS} FROM jobs`;
/** A job that has not ended is to be evaluated, or an execution of it is live; both come in the order of jobs. Two values. */
export const liveRows = (sign: string, order: string): string =>
  `SELECT job_row FROM evaluations WHERE job_row ${sign} ? UNION
   SELECT job_row FROM executions INDEXED BY executions_live WHERE ${LIVE} AND job_row ${sign} ? ORDER BY job_row ${order}`;
/** Changes read at a time. */
const CHANGES_READ = 200;
/** Parsed specs kept: they never change, and a job's life asks for its own several times. */
const SPECS_KEPT = 256;

/** Reads and writes jobs and their versions. */
export class Jobs {
  readonly #database: Database;
  readonly #damaged: Damaged;
  readonly #lifetime: Lifetime;
  /** By row and version, the least lately used first. */
  readonly #specs = new Map<string, JobSpec>();

  constructor(options: { database: Database; damaged: Damaged; lifetime: Lifetime }) {
    this.#database = options.database;
    this.#damaged = options.damaged;
    this.#lifetime = options.lifetime;
  }

  /** Answers the row's number. */
  insert(job: Job, specHash: string): number {
    const { rowId } = this.#database.run(
      "INSERT INTO jobs (id, namespace, name, version, phase, created_at_ms, modified_at_ms, ended_ms, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      job.id,
      job.spec.namespace,
      job.spec.name,
      job.version,
      job.phase,
      job.createdAtMs,
      job.modifiedAtMs,
      JOB_TERMINAL.has(job.phase) ? this.#lifetime.nowMs() : null,
      encodeBody(toBody(job)),
    );
    this.#insertVersion(rowId, job, specHash);
    return rowId;
  }

  /** Writes a new version of the job: its spec is kept beside those of the earlier ones. */
  putVersion({ row, job }: JobRow, specHash: string): void {
    // What had not ended is stopped by its successor.
    this.#database.run(
      `UPDATE job_versions SET phase = (SELECT CASE WHEN phase IN ('completed', 'failed') THEN phase ELSE 'stopped' END
         FROM jobs WHERE row = job_row) WHERE job_row = ? AND version = ?`,
      row,
      job.version - 1,
    );
    this.#database.run("UPDATE jobs SET version = ? WHERE row = ?", job.version, row);
    this.update({ row, job });
    this.#insertVersion(row, job, specHash);
  }

  #insertVersion(row: number, job: Job, specHash: string): void {
    this.#database.run(
      "INSERT INTO job_versions (job_row, version, spec_hash, created_at_ms, body) VALUES (?, ?, ?, ?, ?)",
      row,
      job.version,
      specHash,
      job.modifiedAtMs,
      encodeBody(job.spec),
    );
  }

  update({ row, job }: JobRow): void {
    this.#database.run(
      "UPDATE jobs SET phase = ?, modified_at_ms = ?, ended_ms = CASE WHEN ? THEN coalesce(ended_ms, ?) END, body = ? WHERE row = ?",
      job.phase,
      job.modifiedAtMs,
      JOB_TERMINAL.has(job.phase) ? 1 : 0,
      this.#lifetime.nowMs(),
      encodeBody(toBody(job)),
      row,
    );
  }

  get(row: number): JobRow {
    return this.#toJob(this.#database.get(`${SELECT} WHERE row = ?`, row)!);
  }

  find(id: JobId): JobRow | undefined {
    const row = this.#database.get(`${SELECT} WHERE id = ?`, id);
    return row === undefined ? undefined : this.#toJob(row);
  }

  findByName(name: string, namespace: string): JobRow | undefined {
    const row = this.#database.get(
      `${SELECT} WHERE name = ? AND namespace = ? AND name <> id`,
      name,
      namespace,
    );
    return row === undefined ? undefined : this.#toJob(row);
  }

  /** Every version, oldest first: the current one as it is, earlier ones as they ended, when the next one came. */
  listVersions({ row, job }: JobRow): readonly Job[] {
    const versions = this.#database.all(
      "SELECT version, created_at_ms, phase FROM job_versions WHERE job_row = ? ORDER BY version",
      row,
    );
    return versions.map((found, at): Job => {
      const version = Number(found.version);
      const own = {
        version,
        spec: this.findVersion(row, version)!,
        createdAtMs: Number(found.created_at_ms),
      };
      if (found.phase === null) return { ...job, ...own };
      const { code: _code, message: _message, hint: _hint, image: _image, rollout: _rollout, ...kept } = job;
      const next = versions[at + 1];
      return {
        ...kept,
        ...own,
        phase: Job.shape.phase.parse(found.phase),
        ...(next && { modifiedAtMs: Number(next.created_at_ms) }),
      };
    });
  }

  /** Hash of the spec that was submitted as that version. */
  hashOfVersion(row: number, version: number): string | undefined {
    const found = this.#database.get(
      "SELECT spec_hash FROM job_versions WHERE job_row = ? AND version = ?",
      row,
      version,
    );
    return found === undefined ? undefined : String(found.spec_hash);
  }

  /** At most two: enough to see that a prefix is ambiguous. */
  findByPrefix(prefix: string): readonly JobRow[] {
    return this.#database.all(
      `${SELECT} WHERE id >= ? AND id < ? LIMIT 2`,
      prefix,
      `${prefix}\u{10ffff}`,
    )
      .map((row) => this.#toJob(row));
  }

  /** Jobs in the order of their creation, beyond `after`; damaged ones are left out. `isLive`: none that has ended. */
  scan(options: { after: number; isReversed: boolean; limit: number; isLive: boolean }): readonly JobRow[] {
    const { after, isReversed, limit, isLive } = options;
    const [sign, order] = isReversed ? ["<", "DESC"] : [">", "ASC"];
    const sql = isLive
      ? `SELECT ${COLUMNS} FROM (${
        liveRows(sign, order)
      }) CROSS JOIN jobs ON jobs.row = job_row WHERE ended_ms IS NULL LIMIT ?`
      : `${SELECT} WHERE row ${sign} ? ORDER BY row ${order} LIMIT ?`;
    return this.#damaged.page({
      limit,
      next: (last, rest) => {
        const from = Number(last?.row ?? after);
        return this.#database.all(sql, ...isLive ? [from, from] : [from], rest);
      },
      read: (row) => this.#toJob(row),
      about: (row) => jobAt(Number(row.row)),
    });
  }

  /**
   * Jobs in the order of their last change, beyond the given change; damaged ones are left out. Read as it is walked:
   * those that have ended along an index, the others, of which there are few, sorted once.
   */
  *walkModified(options: { after: Change; isReversed: boolean }): Iterable<JobRow> {
    const { after, isReversed } = options;
    const live = this.#liveChanges(after, isReversed);
    const isFirst = (a: Change, b: Change) => isBefore(a, b) !== isReversed;
    for (const ended of this.#walkEnded(after, isReversed)) {
      for (let [next] = live; next !== undefined && isFirst(next, ended); [next] = live) {
        yield* this.#readable(live.shift()!.row);
      }
      yield* this.#readable(ended.row);
    }
    for (const { row } of live) yield* this.#readable(row);
  }

  #liveChanges(after: Change, isReversed: boolean): Change[] {
    const [sign, order] = isReversed ? ["<", "DESC"] : [">", "ASC"];
    return this.#database.all(
      `SELECT row, modified_at_ms FROM (${liveRows(">", "ASC")}) CROSS JOIN jobs ON jobs.row = job_row
       WHERE ended_ms IS NULL AND (modified_at_ms, row) ${sign} (?, ?) ORDER BY modified_at_ms ${order}, row ${order}`,
      ...[0, 0, after.atMs, after.row],
    ).map(toChange);
  }

  *#walkEnded(after: Change, isReversed: boolean): Iterable<Change> {
    const [sign, order] = isReversed ? ["<", "DESC"] : [">", "ASC"];
    for (let from = after;;) {
      const changes = this.#database.all(
        `SELECT row, modified_at_ms FROM jobs INDEXED BY jobs_ended
         WHERE ended_ms IS NOT NULL AND (modified_at_ms, row) ${sign} (?, ?) ORDER BY modified_at_ms ${order}, row ${order} LIMIT ?`,
        from.atMs,
        from.row,
        CHANGES_READ,
      ).map(toChange);
      yield* changes;
      if (changes.length < CHANGES_READ) return;
      from = changes.at(-1)!;
    }
  }

  *#readable(row: number): Iterable<JobRow> {
    const found = this.#damaged.read(jobAt(row), () => this.get(row));
    if (found !== undefined) yield found;
  }

  #toJob(row: SqlRow): JobRow {
    const [number, version] = [Number(row.row), Number(row.version)];
    return {
      row: number,
      job: {
        id: row.id as JobId,
        spec: this.findVersion(number, version)!,
        version,
        phase: parseStored(Job.shape.phase, row.phase),
        createdAtMs: Number(row.created_at_ms),
        modifiedAtMs: Number(row.modified_at_ms),
        ...parseBody(JobBody, row.body),
      },
    };
  }

  /** What was submitted as that version; shared, and never changed. */
  findVersion(row: number, version: number): JobSpec | undefined {
    const key = `${row}/${version}`;
    let spec = this.#specs.get(key);
    if (spec === undefined) {
      const found = this.#database.get(
        "SELECT body FROM job_versions WHERE job_row = ? AND version = ?",
        row,
        version,
      );
      if (found === undefined) return undefined;
      spec = parseBody(JobSpec, found.body);
    }
    this.#specs.delete(key);
    this.#specs.set(key, spec);
    if (this.#specs.size > SPECS_KEPT) this.#specs.delete(this.#specs.keys().next().value!);
    return spec;
  }

  /** Forgets parsed specs: rows of a transaction that failed are given to others. */
  forgetSpecs(): void {
    this.#specs.clear();
  }

  /** The answer to an earlier submission with this token. */
  findSubmission(token: string): { jobId: JobId; specHash: string; evaluationId: string } | undefined {
    const row = this.#database.get(
      `SELECT jobs.id, submissions.spec_hash, submissions.evaluation_id FROM submissions
       JOIN jobs ON jobs.row = submissions.job_row WHERE token = ?`,
      token,
    );
    if (row === undefined) return undefined;
    return {
      jobId: row.id as JobId,
      specHash: String(row.spec_hash),
      evaluationId: String(row.evaluation_id),
    };
  }

  insertSubmission(
    entry: { token: string; jobRow: number; specHash: string; evaluationId: string; nowMs: number },
  ): void {
    this.#database.run(
      "INSERT OR REPLACE INTO submissions (token, job_row, spec_hash, evaluation_id, created_at_ms) VALUES (?, ?, ?, ?, ?)",
      entry.token,
      entry.jobRow,
      entry.specHash,
      entry.evaluationId,
      entry.nowMs,
    );
  }

  usesContent(digest: string): boolean {
    return this.#database.get("SELECT 1 AS one FROM content_uses WHERE digest = ? LIMIT 1", digest) !==
      undefined;
  }

  useContent(jobRow: number, digest: string): void {
    this.#database.run("INSERT OR IGNORE INTO content_uses (job_row, digest) VALUES (?, ?)", jobRow, digest);
  }
}

/** All that changes: a field that a job gets is kept without a word here. */
function toBody(
  { id: _id, spec: _spec, version: _version, phase: _phase, createdAtMs: _c, modifiedAtMs: _m, ...body }: Job,
): JobBody {
  return body;
}
