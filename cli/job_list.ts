/** `skerry job list` */
import { quote } from "../shared/spec/problems.ts";
import { type Call, defineCommand } from "./command.ts";
import { type Client, openClient } from "./client.ts";
import { list, notOneOf, readWritten, text, toggle, whole } from "./flags.ts";
import { OUTPUT_FLAGS, printList } from "./output.ts";
import type { Paint } from "./paint.ts";
import type { Terminal } from "./terminal.ts";
import { itemsOf, type JobView, readJob, textAt } from "./wire.ts";
import { age, moment, short } from "./words.ts";

/** States of jobs, in the order of a job's life. */
export const JOB_STATES = ["pending", "queued", "running", "completed", "failed", "stopped"] as const;

const FLAGS = {
  state: list({ placeholder: "STATE", short: "s", summary: "Only jobs in this state", choices: JOB_STATES }),
  labels: list({
    placeholder: "SELECTOR",
    short: "l",
    summary: "Only jobs with these labels, such as team=a,stage!=dev",
  }),
  limit: whole({ placeholder: "N", short: "n", summary: "At most so many (default: 10)", least: 1 }),
  all: toggle({ summary: "Every job, however many there are", short: "a" }),
  namespace: text({
    placeholder: "NAME",
    completes: "namespace",
    summary: "Only jobs of this namespace (default: all)",
  }),
  reverse: toggle({ summary: "Show the oldest first" }),
  orderBy: text({ placeholder: "FIELD", summary: "created_at or modified_at", isHidden: true }),
  ...OUTPUT_FLAGS,
};

/** `skerry job list` */
export const LIST = defineCommand({
  name: "list",
  summary: "List jobs, the newest first",
  operands: [],
  flags: FLAGS,
  examples: [
    { line: "skerry job list", does: "The last ten" },
    {
      line: "skerry job list --state running,queued --output wide",
      does: "What is not done, with more columns",
    },
    { line: "skerry job list --labels team=a --all -o name", does: "IDs of all jobs of a team, for scripts" },
  ],
  run,
});

const LIMIT_DEFAULT = 10;
const PAGE = 500;

async function run({ flags, settings, terminal }: Call<typeof FLAGS>): Promise<void> {
  const client = await openClient(settings);
  const limit = flags.all ? Number.POSITIVE_INFINITY : flags.limit ?? LIMIT_DEFAULT;
  const found = await fetchJobs(client, {
    states: flags.state,
    labels: flags.labels,
    limit,
    isOldestFirst: flags.reverse,
    orderBy: flags.orderBy,
  });
  await printList(terminal, {
    rows: found.jobs,
    output: flags.output,
    wireOf: ({ wire }) => wire,
    nameOf: ({ id }) => id,
    empty: flags.state.length || flags.labels.length
      ? "No such jobs"
      : client.namespace
      ? `No jobs in the namespace ${quote(client.namespace)}`
      : "No jobs yet: `skerry job run --help` shows how",
    columns: columns(terminal, client.nowMs()),
  });
  const isTable = flags.output === "table" || flags.output === "wide";
  if (found.hasMore && isTable) terminal.note(`There are more: --limit N or --all shows them`);
}

/** Which jobs, and how many. */
export interface JobFilter {
  readonly states: readonly string[];
  readonly labels: readonly string[];
  readonly limit: number;
  readonly isOldestFirst?: boolean;
  readonly orderBy?: string;
}

/** Jobs that fit, page by page up to the limit. */
export async function fetchJobs(
  client: Client,
  filter: JobFilter,
): Promise<{ jobs: readonly JobView[]; hasMore: boolean }> {
  const states = filter.states.flatMap((word) => word.split(",")).map((word) => word.trim().toLowerCase());
  for (const text of states) readWritten(parseState, { name: "--state", text });
  const labels = filter.labels.join(",");
  const jobs: JobView[] = [];
  let token = "";
  do {
    const query = {
      namespace: client.namespace,
      state: states.join(","),
      labels,
      limit: Math.min(PAGE, filter.limit - jobs.length),
      order_by: filter.orderBy ?? "created_at",
      reverse: !filter.isOldestFirst,
      next_token: token,
    };
    const page = await client.get("/orchestrator/jobs", { query });
    jobs.push(...itemsOf(page).map(readJob));
    token = textAt(page, "NextToken") ?? "";
  } while (token && jobs.length < filter.limit);
  return { jobs, hasMore: token !== "" };
}

function parseState(word: string): void {
  if (!(JOB_STATES as readonly string[]).includes(word)) throw notOneOf(word, JOB_STATES);
}

/** How a job's state is coloured. */
export function tintState(state: string, text: string, paint: Paint): string {
  if (state === "completed") return paint.good(text);
  if (state === "failed") return paint.bad(text);
  return state === "running" ? paint.accent(text) : paint.warn(text);
}

/** The columns of a list of jobs. */
export function columns({ paint }: Pick<Terminal, "paint">, nowMs: number) {
  const labels = ({ labels }: JobView) =>
    Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(",");
  return [
    { title: "ID", cell: ({ id }: JobView) => short(id) },
    {
      title: "STATE",
      cell: ({ state }: JobView) => state,
      tint: ({ state }: JobView, text: string) => tintState(state, text, paint),
    },
    { title: "SINCE", cell: ({ modifiedAtMs }: JobView) => age(modifiedAtMs, nowMs) },
    { title: "CREATED", cell: ({ createdAtMs }: JobView) => age(createdAtMs, nowMs) },
    { title: "PARTITIONS", cell: ({ count }: JobView) => String(count), isNumber: true },
    { title: "NAMESPACE", cell: ({ namespace }: JobView) => namespace, isWide: true },
    { title: "PRIORITY", cell: ({ priority }: JobView) => String(priority), isNumber: true, isWide: true },
    { title: "CREATED AT", cell: ({ createdAtMs }: JobView) => moment(createdAtMs), isWide: true },
    { title: "LABELS", cell: labels, isWide: true },
    { title: "MESSAGE", cell: ({ message }: JobView) => message, isWide: true },
    { title: "NAME", cell: ({ id, name }: JobView) => name === id ? "-" : name },
  ];
}
