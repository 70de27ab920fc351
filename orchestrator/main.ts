/** Composes the orchestrator of a process: files, supervised stages, an orderly end. */
import type { Bus } from "../shared/bus/bus.ts";
import type { Clock } from "../shared/clock.ts";
import type { AppError } from "../shared/errors.ts";
import { Database } from "../shared/ledger/database.ts";
import type { Log } from "../shared/log.ts";
import type { IdSource } from "../shared/model/ids.ts";
import { supervise, type Supervised } from "../shared/supervise.ts";
import type { PeerId } from "../shared/wire/messages.ts";
import { composeOrchestrator } from "./flow/compose.ts";
import type { Desk } from "./flow/desk.ts";
import { openContents } from "./store/contents.ts";
import { APPLICATION_ID, MIGRATIONS } from "./store/migrations.ts";

export interface OrchestratorOptions {
  /** Folder of its own; made when missing. */
  readonly folder: string;
  readonly self: PeerId;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Log;
  /** Why no new work is taken at the moment, such as a full disk. */
  readonly refuses: () => AppError | undefined;
  /** A bug was found: the process should end. */
  readonly onBug: (error: unknown) => void;
}

export interface RunningOrchestrator {
  readonly desk: Desk;
  close(): Promise<void>;
}

/** Opens the store, starts to listen and runs the stages. */
export function startOrchestrator(options: OrchestratorOptions): RunningOrchestrator {
  const { folder, self, bus, clock, ids, log, refuses, onBug } = options;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o750 });
  const database = Database.open({
    path: `${folder}/orchestrator.db`,
    migrations: MIGRATIONS,
    applicationId: APPLICATION_ID,
  });
  const running = new Map<string, Supervised>();
  const program = composeOrchestrator({
    self,
    database,
    bus,
    clock,
    ids,
    refuses,
    contents: openContents(`${folder}/contents`),
    nudge: (stage) => running.get(stage)?.nudge(),
  });
  program.open();
  for (const stage of program.stages) running.set(stage.name, supervise(stage, { log, onBug }));
  return {
    desk: program.desk,
    async close() {
      for (const stage of running.values()) await stage.close();
      program.close();
      database.checkpoint();
      database.close();
    },
  };
}
