/** `skerry job history` */
import { EXIT } from "../shared/errors.ts";
import { type Call, defineCommand } from "./command.ts";
import { type Client, openClient } from "./client.ts";
import { choice, text, toggle, whole } from "./flags.ts";
import { onInterrupt, pause } from "./interrupt.ts";
import { JOB_OPERAND, NAMESPACE_FLAG, VERSIONS_FLAGS } from "./job_operand.ts";
import { formatJson } from "./json.ts";
import { fetchJob } from "./partitions.ts";
import { isData, OUTPUT_FLAGS, printList } from "./output.ts";
import { formatTable } from "./table.ts";
import { type EventView, itemsOf, readEvent, textAt } from "./wire.ts";
import { age, moment, short } from "./words.ts";

const FLAGS = {
  follow: toggle({ summary: "Show new events as they happen, until the job has ended", short: "f" }),
  eventType: choice({
    placeholder: "TYPE",
    summary: "Events of the job, of its executions, or all",
    choices: ["all", "job", "execution"],
    initial: "all",
  }),
  executionId: text({ placeholder: "ID", short: "e", summary: "Only events of this execution" }),
  ...VERSIONS_FLAGS,
  limit: whole({ placeholder: "N", short: "n", summary: "At most so many (default: all)", least: 1 }),
  ...NAMESPACE_FLAG,
  ...OUTPUT_FLAGS,
};

/** `skerry job history` */
export const HISTORY = defineCommand({
  name: "history",
  summary: "Show what has happened to a job, the oldest first",
  operands: [JOB_OPERAND],
  flags: FLAGS,
  examples: [
    { line: "skerry job history j-0123abcd", does: "Everything so far" },
    { line: "skerry job history sea-breeze --job-version 2", does: "What became of an earlier version" },
    { line: "skerry job history j-0123abcd --follow --event-type job", does: "Watch the job itself" },
  ],
  run,
});

const PAGE = 500;
const HELD_MS = 20_000;
const POLL_MS = 400;

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { operands, flags, settings, terminal } = call;
  const client = await openClient(settings);
  if (flags.follow) return await follow(call, client);
  const events = await fetchAll(client, operands[0]!, flags);
  if (events.length === 0 && flags.jobVersion) {
    await fetchJob(client, operands[0]!, { version: flags.jobVersion });
  }
  await printList(terminal, {
    rows: events,
    output: flags.output,
    wireOf: ({ wire }) => wire,
    nameOf: ({ message }) => message,
    empty: "Nothing has happened yet",
    columns: columns(client.nowMs()),
  });
  return EXIT.ok;
}

type Flags = Call<typeof FLAGS>["flags"];

async function fetchPage(
  client: Client,
  id: string,
  { flags, token, limit, heldMs = 0, signal }: {
    flags: Flags;
    token: string;
    limit: number;
    heldMs?: number;
    signal?: AbortSignal;
  },
) {
  const query = {
    namespace: client.namespace,
    event_type: flags.eventType,
    execution_id: flags.executionId,
    job_version: flags.jobVersion,
    // An execution is of one version, whichever.
    all_job_versions: flags.allJobVersions || (flags.executionId !== undefined && !flags.jobVersion) ||
      undefined,
    limit,
    next_token: token,
    wait_ms: heldMs || undefined,
  };
  const page = await client.get(`/orchestrator/jobs/${encodeURIComponent(id)}/history`, {
    query,
    heldMs,
    signal,
  });
  return { events: itemsOf(page).map(readEvent), next: textAt(page, "NextToken") ?? "" };
}

/** Everything so far: a page without events ends it, because a running job always has a next page. */
async function fetchAll(client: Client, id: string, flags: Flags): Promise<readonly EventView[]> {
  const all: EventView[] = [];
  const max = flags.limit ?? Number.POSITIVE_INFINITY;
  let token = "";
  while (all.length < max) {
    const page = await fetchPage(client, id, { flags, token, limit: Math.min(PAGE, max - all.length) });
    all.push(...page.events);
    if (!page.next || page.events.length === 0) break;
    token = page.next;
  }
  return all;
}

async function follow({ operands, flags, terminal }: Call<typeof FLAGS>, client: Client): Promise<number> {
  using interrupt = onInterrupt();
  const { signal } = interrupt;
  const id = operands[0]!;
  let [token, isFirst] = ["", true];
  try {
    for (;;) {
      const askedAtMs = performance.now();
      const page = await fetchPage(client, id, {
        flags,
        token,
        limit: PAGE,
        heldMs: isFirst ? 0 : HELD_MS,
        signal,
      });
      if (page.events.length > 0) {
        if (isData(flags.output)) { for (const { wire } of page.events) terminal.print(formatJson(wire)); }
        else {
          const shown = columns(client.nowMs()).filter((it) => flags.output === "wide" || !("isWide" in it));
          const table = formatTable(page.events, { columns: shown, terminal });
          terminal.print(isFirst ? table : table.slice(table.indexOf("\n") + 1));
        }
        isFirst = false;
      }
      if (!page.next) return EXIT.ok;
      token = page.next;
      const restMs = page.events.length ? 0 : POLL_MS - (performance.now() - askedAtMs);
      if (restMs > 0) await pause(restMs, signal);
    }
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    throw error;
  }
}

/** The columns of a history. */
export function columns(nowMs: number, { hasHints = true } = {}) {
  return [
    { title: "WHEN", cell: ({ atMs }: EventView) => age(atMs, nowMs) },
    { title: "TIME", cell: ({ atMs }: EventView) => moment(atMs), isWide: true },
    { title: "EXECUTION", cell: ({ executionId }: EventView) => executionId ? short(executionId) : "-" },
    { title: "TOPIC", cell: ({ topic }: EventView) => topic },
    {
      title: "EVENT",
      cell: ({ message, details }: EventView) =>
        details.Hint && hasHints ? `${message} (${details.Hint})` : message,
    },
  ];
}
