/** The agent's store, format by format. Only ever append. */
import { DEADLINE_TABLES } from "../../shared/ledger/deadlines.ts";
import { LEDGER_TABLES } from "../../shared/ledger/ledger.ts";

/** Marks the file as an agent's store. */
export const AGENT_APPLICATION_ID = 0x5ce44a6e;

/** Each runs once, in order. */
export const AGENT_MIGRATIONS: readonly string[] = [
  `
CREATE TABLE executions (
  row INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  home TEXT NOT NULL,            -- the peer that owns its job
  phase TEXT NOT NULL,
  revision INTEGER NOT NULL,     -- of the newest report
  body TEXT NOT NULL,            -- state: rewritten at every step, so the order is kept apart
  ended_at_ms INTEGER,           -- Unix time
  is_forgettable INTEGER NOT NULL, -- 1: its home has recorded the end
  keeps_results INTEGER NOT NULL   -- 1: published here, and not fetched yet
) STRICT;
CREATE INDEX executions_live ON executions (row) WHERE ended_at_ms IS NULL;
CREATE INDEX executions_old ON executions (ended_at_ms) WHERE is_forgettable = 1;
CREATE TABLE orders (
  row INTEGER PRIMARY KEY,       -- of the execution
  body TEXT NOT NULL
) STRICT;
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
` + LEDGER_TABLES + DEADLINE_TABLES,
  "CREATE INDEX executions_unconfirmed ON executions (home, row) WHERE is_forgettable = 0",
  // By the agent's own clock instead of Unix time: what has ended before is kept for a while from now on.
  `
ALTER TABLE executions RENAME COLUMN ended_at_ms TO ended_lifetime_ms;
ALTER TABLE executions ADD COLUMN fetched_lifetime_ms INTEGER; -- its results were read to their end, last at
UPDATE executions SET ended_lifetime_ms = 0 WHERE ended_lifetime_ms IS NOT NULL;
`,
  "ALTER TABLE executions ADD COLUMN image TEXT", // what its container's image was found to be
  `
ALTER TABLE executions ADD COLUMN has_results INTEGER NOT NULL DEFAULT 0; -- 1: published here, fetched or not
ALTER TABLE executions ADD COLUMN size_bytes INTEGER; -- what it left, weighed once it has ended
UPDATE executions SET has_results = 1 WHERE keeps_results = 1 OR fetched_lifetime_ms IS NOT NULL;
CREATE INDEX executions_weighed ON executions (size_bytes) WHERE size_bytes IS NOT NULL;
CREATE INDEX executions_unweighed ON executions (row) WHERE ended_lifetime_ms IS NOT NULL AND size_bytes IS NULL;
`,
  "ALTER TABLE executions ADD COLUMN ports TEXT", // of the node, that it has until it ends
];
