/**
 * The append-only log of lifecycle events that this node made or was told. Appended in the transaction of the state
 * change it tells of; feeds history and audit.
 */
import type { HistoryEvent } from "../model/history.ts";
import type { Clock } from "../clock.ts";
import type { Database } from "./database.ts";
import { encodeBody } from "./body.ts";

/** Tables of this folder, for the migrations of a program's store. */
export const LEDGER_TABLES = `
CREATE TABLE ledger (
  seq INTEGER PRIMARY KEY,
  subject INTEGER NOT NULL,      -- row of the job (or, on an agent, of the execution) that it is about
  job_version INTEGER NOT NULL,
  execution_id TEXT,             -- null: about the job itself
  at_ms INTEGER NOT NULL,        -- Unix time here, corrected by the age that the sender named
  origin TEXT,                   -- null: made here; else the peer that told it
  body TEXT NOT NULL
) STRICT;
CREATE INDEX ledger_subject ON ledger (subject, seq);
CREATE TABLE lanes (
  peer TEXT NOT NULL, lane TEXT NOT NULL,
  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
  acked_seq INTEGER NOT NULL, acked_hash TEXT NOT NULL,
  PRIMARY KEY (peer, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
  peer TEXT NOT NULL, lane TEXT NOT NULL, seq INTEGER NOT NULL,
  kind TEXT NOT NULL, about TEXT NOT NULL,
  hash TEXT NOT NULL,
  body TEXT,                     -- null: a newer entry about the same replaced it
  at_ms INTEGER NOT NULL, uptime_ms REAL NOT NULL, process TEXT NOT NULL,
  PRIMARY KEY (peer, lane, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE stores (
  peer TEXT PRIMARY KEY,         -- '': this store itself
  id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE inbox (
  peer TEXT NOT NULL, lane TEXT NOT NULL,
  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
  PRIMARY KEY (peer, lane)
) STRICT, WITHOUT ROWID;
`;

/** One event for the ledger. */
export interface LedgerEvent {
  readonly subject: number;
  readonly jobVersion: number;
  readonly executionId?: string;
  readonly event: HistoryEvent;
  /** How long ago it happened; 0 when left out. */
  readonly ageMs?: number;
  /** The peer that told it. */
  readonly origin?: string;
}

/** Appends one event; inside the caller's transaction. */
export function appendEvent(database: Database, clock: Clock, entry: LedgerEvent): void {
  database.run(
    "INSERT INTO ledger (subject, job_version, execution_id, at_ms, origin, body) VALUES (?, ?, ?, ?, ?, ?)",
    entry.subject,
    entry.jobVersion,
    entry.executionId ?? null,
    Math.round(clock.wallMs() - (entry.ageMs ?? 0)),
    entry.origin ?? null,
    encodeBody(entry.event),
  );
}
