/** The orchestrator's tables. Only ever append a migration: released ones are never changed. */
import { DEADLINE_TABLES } from "../../shared/ledger/deadlines.ts";
import { LEDGER_TABLES } from "../../shared/ledger/ledger.ts";

import { NAMESPACE_TABLES } from "./namespaces.ts";

/** `SkOr` in ASCII: marks the file as an orchestrator's store. */
export const APPLICATION_ID = 0x536b4f72;

/** From an empty file to the current format. */
export const MIGRATIONS: readonly string[] = [
  LEDGER_TABLES + DEADLINE_TABLES + `
CREATE TABLE jobs (
  row INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  namespace TEXT NOT NULL, name TEXT NOT NULL,
  version INTEGER NOT NULL,
  phase TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, modified_at_ms INTEGER NOT NULL,
  ended_ms INTEGER,              -- lifetime of the orchestrator when it ended; null: it has not
  body TEXT NOT NULL             -- what changes; the spec is in job_versions
) STRICT;
CREATE UNIQUE INDEX jobs_name ON jobs (name, namespace) WHERE name <> id; -- a job without a name is called by its id
CREATE INDEX jobs_ended ON jobs (modified_at_ms) WHERE ended_ms IS NOT NULL;
CREATE TABLE job_versions (
  job_row INTEGER NOT NULL, version INTEGER NOT NULL,
  spec_hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  phase TEXT,                    -- how it stood when the next version came; NULL while it is the current one
  body TEXT NOT NULL,
  PRIMARY KEY (job_row, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE executions (
  row INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  job_row INTEGER NOT NULL, job_version INTEGER NOT NULL,
  partition INTEGER NOT NULL, attempt INTEGER NOT NULL,
  node_id TEXT NOT NULL,
  phase TEXT NOT NULL, desired TEXT NOT NULL,
  cpu_millis INTEGER NOT NULL, memory_bytes INTEGER NOT NULL, disk_bytes INTEGER NOT NULL, gpu_count INTEGER NOT NULL,
  modified_at_ms INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX executions_job ON executions (job_row, job_version, partition, attempt);
CREATE INDEX executions_created ON executions (job_row);         -- and by row, as every index
CREATE INDEX executions_live ON executions (job_row, job_version, node_id)
  WHERE phase IN ('placed', 'queued', 'preparing', 'running', 'publishing');
CREATE INDEX executions_failed ON executions (job_row, job_version) WHERE phase IN ('failed', 'stopped', 'refused', 'lost');
CREATE INDEX executions_lost ON executions (node_id) WHERE phase = 'lost';
CREATE TABLE evaluations (
  job_row INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  trigger TEXT NOT NULL, status TEXT NOT NULL,
  priority INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE nodes (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE submissions (
  token TEXT PRIMARY KEY,
  job_row INTEGER NOT NULL, spec_hash TEXT NOT NULL, evaluation_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE content_uses (
  job_row INTEGER NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (job_row, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX content_uses_digest ON content_uses (digest);
`,
  "ALTER TABLE executions ADD COLUMN host_ports TEXT", // that its task names, with commas between
  NAMESPACE_TABLES,
  // Of executions that live: what reconcile asks of what their agents say, without a look into their bodies (JSON behind 8
  // characters).
  `ALTER TABLE executions ADD COLUMN health TEXT;
ALTER TABLE executions ADD COLUMN restarts INTEGER;
UPDATE executions SET health = json_extract(substr(body, 9), '$.health.status'), restarts = json_extract(substr(body, 9), '$.restarts')
  WHERE phase IN ('placed', 'queued', 'preparing', 'running', 'publishing') AND json_valid(substr(body, 9));
`,
];
