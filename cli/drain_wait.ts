/** Waiting until nothing is left on a node that is being drained, whatever happens to the link meanwhile. */
import { AppError } from "../shared/errors.ts";
import type { Client } from "./client.ts";
import { pause } from "./interrupt.ts";
import { LOST_PAUSE_MS, type WaitOptions, watchLink } from "./wait.ts";
import { type NodeView, readNode, recordAt } from "./wire.ts";
import { plural, short, span } from "./words.ts";

/** Between two looks. */
const POLL_MS = 1000;

/**
 * The node once it is drained. Errors: `timed_out`; `conflict` when somebody ends the drain. An abort makes it throw the
 * signal's reason.
 */
export async function waitForDrain(client: Client, id: string, options: WaitOptions): Promise<NodeView> {
  const { terminal, signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
  const startedAtMs = performance.now();
  const link = watchLink(terminal, "the drain does not need this link");
  for (;;) {
    const node = await link(() => getNode(client, id, signal));
    signal.throwIfAborted();
    const elapsedMs = performance.now() - startedAtMs;
    if (node?.drain?.state === "drained") {
      terminal.progress();
      return node;
    }
    if (node !== undefined && node.drain?.state !== "draining") throw ended(node);
    const left = node === undefined ? "the server is away" : whatIsLeft(node);
    if (elapsedMs >= timeoutMs) {
      throw new AppError(
        "timed_out",
        `Stopped waiting for node ${short(id)} after ${span(timeoutMs)}: ${left}`,
        {
          hint: "The drain goes on; the same command waits again, `--cancel` ends it",
        },
      );
    }
    if (terminal.isErrTerminal) terminal.progress(`draining ${span(elapsedMs)}: ${left}`);
    await pause(Math.min(node ? POLL_MS : LOST_PAUSE_MS, timeoutMs - elapsedMs), signal);
  }
}

async function getNode(client: Client, id: string, signal: AbortSignal): Promise<NodeView> {
  const answer = await client.get(`/orchestrator/nodes/${encodeURIComponent(id)}`, { signal });
  return readNode(recordAt(answer, "Node"));
}

function ended({ id, drain }: NodeView): AppError {
  const now = drain === undefined ? "it takes work again" : "what is there stays";
  return new AppError(
    "conflict",
    `Stopped waiting for node ${short(id)}: somebody has ended its drain, ${now}`,
  );
}

/** `3 executions there, 5m at most` */
export function whatIsLeft({ running, queued, drain }: NodeView): string {
  const until = drain?.leftMs === undefined ? "however long that takes" : `${span(drain.leftMs)} at most`;
  return `${plural(running + queued, "execution")} there, ${until}`;
}
