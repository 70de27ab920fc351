/** Rows of jobs. Every write belongs to the caller's transaction. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { encodeBody, parseBody, parseStored } from "../../shared/ledger/body.ts";
import type { Damaged } from "../../shared/ledger/damaged.ts";
import type { Database, SqlRow } from "../../shared/ledger/database.ts";
import type { JobId } from "../../shared/model/ids.ts";
import { Job, JobSpec } from "../../shared/model/job.ts";

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

const SELECT = "SELECT row, id, version, phase, created_at_ms, modified_at_ms, body FROM jobs";
/** Parsed specs kept: they never change, and a job's life asks for its own several times. */
const SPECS_KEPT = 256;

/** Reads and writes jobs and their versions. */
export class Jobs {
  readonly #database: Database;
  readonly #damaged: Damaged;
  /** By row and version, the least lately used first. */
  readonly #specs = new Map<string, JobSpec>();

  constructor(database: Database, damaged: Damaged) {
    this.#database = database;
    this.#damaged = damaged;
  }

  /** Answers the row's number. */
  insert(job: Job, specHash: string): number {
    const { rowId } = this.#database.run(
      "INSERT INTO jobs (id, namespace, name, version, phase, created_at_ms, modified_at_ms, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      job.id,
      job.spec.namespace,
      job.spec.name,
      job.version,
      job.phase,
      job.createdAtMs,
      job.modifiedAtMs,
      encodeBody(toBody(job)),
    );
    this.#database.run(
      "INSERT INTO job_versions (job_row, version, spec_hash, body) VALUES (?, ?, ?, ?)",
      rowId,
      job.version,
      specHash,
      encodeBody(job.spec),
    );
    return rowId;
  }

  update({ row, job }: JobRow): void {
    this.#database.run(
      "UPDATE jobs SET phase = ?, modified_at_ms = ?, body = ? WHERE row = ?",
      job.phase,
      job.modifiedAtMs,
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

  /** The row, id and spec hash of the job of that name. */
  findName(name: string, namespace: string): { id: JobId; specHash: string } | undefined {
    const row = this.#database.get(
      `SELECT jobs.id, job_versions.spec_hash FROM jobs
       JOIN job_versions ON job_versions.job_row = jobs.row AND job_versions.version = jobs.version
       WHERE name = ? AND namespace = ? AND name <> id`,
      name,
      namespace,
    );
    return row === undefined ? undefined : { id: row.id as JobId, specHash: String(row.spec_hash) };
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

  /** Jobs in the order of their creation, beyond `after`; damaged ones are left out. */
  scan(options: { after: number; isReversed: boolean; limit: number; isLive: boolean }): readonly JobRow[] {
    const { after, isReversed, limit, isLive } = options;
    const live = isLive ? "AND phase IN ('pending', 'queued', 'running')" : "";
    const order = isReversed ? "< ? ORDER BY row DESC" : "> ? ORDER BY row";
    const sql = `${SELECT} WHERE row ${order.replace("?", `? ${live}`)} LIMIT ?`;
    return this.#page(limit, (last, rest) => this.#database.all(sql, last?.row as number ?? after, rest));
  }

  #page(limit: number, next: (last: SqlRow | undefined, limit: number) => readonly SqlRow[]) {
    return this.#damaged.page({
      ...{ limit, next },
      read: (row) => this.#toJob(row),
      about: (row) => jobAt(Number(row.row)),
    });
  }

  /** Jobs in the order of their last change, beyond the given change; damaged ones are left out. */
  scanModified(
    options: { after: { atMs: number; row: number }; isReversed: boolean; limit: number },
  ): readonly JobRow[] {
    const { after, isReversed, limit } = options;
    const [sign, order] = isReversed ? ["<", "DESC"] : [">", ""];
    const sql = `${SELECT} WHERE (modified_at_ms, row) ${sign} (?, ?)
       ORDER BY modified_at_ms ${order}, row ${order} LIMIT ?`;
    return this.#page(limit, (last, rest) =>
      this.#database.all(
        sql,
        last?.modified_at_ms as number ?? after.atMs,
        last?.row as number ?? after.row,
        rest,
      ));
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
      "INSERT INTO submissions (token, job_row, spec_hash, evaluation_id, created_at_ms) VALUES (?, ?, ?, ?, ?)",
      entry.token,
      entry.jobRow,
      entry.specHash,
      entry.evaluationId,
      entry.nowMs,
    );
  }

  useContent(jobRow: number, digest: string): void {
    this.#database.run("INSERT OR IGNORE INTO content_uses (job_row, digest) VALUES (?, ?)", jobRow, digest);
  }
}

function toBody({ revision, code, message, hint, completedCount }: Job): JobBody {
  return { revision, code, message, hint, completedCount };
}
