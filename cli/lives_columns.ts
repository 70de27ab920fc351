/** Columns of executions that their nodes watch and start again: only where there is something to show. */
import type { Paint } from "./paint.ts";
import type { ExecutionView } from "./wire.ts";

/** `HEALTH` and `RESTARTS`. */
export function livesColumns(shown: readonly ExecutionView[], paint: Paint) {
  return [
    ...shown.some(({ health }) => health !== "")
      ? [{
        title: "HEALTH",
        cell: ({ health }: ExecutionView) => health || "-",
        tint: ({ health }: ExecutionView, text: string) => health === "unhealthy" ? paint.bad(text) : text,
      }]
      : [],
    ...shown.some(({ restarts }) => restarts > 0)
      ? [{ title: "RESTARTS", cell: ({ restarts }: ExecutionView) => String(restarts), isNumber: true }]
      : [],
  ];
}
