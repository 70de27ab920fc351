/** What `wasm run` and `docker run` share: the flags that describe a job, and the job that they describe. */
import type { JobType } from "../shared/model/job.ts";
import { type Call } from "./command.ts";
import { duration, list, oneOf, text, whole } from "./flags.ts";
import { parseInput, parsePairs, parsePublisher, parseResultPath, type WireInput } from "./input_grammar.ts";
import type { WirePort } from "./port_grammar.ts";
import type { Settings } from "./config.ts";

const TYPES = ["batch", "ops", "service", "daemon"] as const satisfies readonly JobType[];

/** Flags of a job with one task. */
export const JOB_FLAGS = {
  input: list({
    placeholder: "INPUT",
    short: "i",
    summary: "URI[:PATH] or src=URI,dst=PATH, such as file:///srv/data:/inputs, a path of the node",
  }),
  output: list({
    placeholder: "NAME:PATH",
    short: "o",
    summary: "Folder that is kept as a result, under a name",
  }),
  env: list({
    placeholder: "KEY=VALUE",
    short: "e",
    summary: "Environment variable, its name in upper case",
  }),
  publisher: text({
    placeholder: "PUBLISHER",
    short: "p",
    summary: "Where results go (default: local, the node that made them)",
  }),
  cpu: text({ placeholder: "CORES", summary: "Cores of each partition, such as 500m or 2" }),
  memory: text({ placeholder: "BYTES", summary: "Memory of each partition, such as 512Mb" }),
  disk: text({ placeholder: "BYTES", summary: "What each partition may write" }),
  gpu: text({ placeholder: "N", summary: "GPUs of each partition" }),
  type: oneOf({ choices: TYPES, placeholder: "TYPE", summary: "Life of the job (default: batch)" }),
  target: oneOf({
    choices: ["any", "all"],
    placeholder: "NODES",
    summary: "all: once on every node that matches, as --type ops",
  }),
  count: whole({ placeholder: "N", summary: "Number of partitions (default: 1)" }),
  concurrency: whole({ placeholder: "N", summary: "The same", isHidden: true }),
  constraints: text({
    placeholder: "SELECTOR",
    short: "s",
    summary: "Labels that a node must have: region=eu,disk!=hdd",
  }),
  timeout: duration({ placeholder: "DURATION", summary: "The job may take this long in all" }),
  queueTimeout: duration({ placeholder: "DURATION", summary: "The job may wait this long for a node" }),
  name: text({ placeholder: "NAME", summary: "Name of the job; the same name again makes its next version" }),
  namespace: text({ placeholder: "NAME", completes: "namespace", summary: "Namespace of the job" }),
  priority: whole({ placeholder: "N", summary: "Higher goes first (default: 0)" }),
  labels: list({ placeholder: "KEY=VALUE", short: "l", summary: "Label of the job" }),
  taskName: text({ placeholder: "NAME", summary: "Name of the task (default: main)" }),
  network: text({ placeholder: "TYPE", summary: "None, Bridge, Host or HTTP" }),
  domain: list({ placeholder: "DOMAIN", summary: "Domain that may be reached with --network HTTP" }),
};

type Flags = Call<typeof JOB_FLAGS>["flags"];

/** The job as it is sent. `inputs` come beside those of the flags. */
export async function jobOf(
  flags: Flags,
  { settings, engine, inputs, ports = [], more }: {
    settings: Settings;
    engine: unknown;
    inputs: readonly WireInput[];
    ports?: readonly WirePort[];
    /** Further fields of the job. */
    more?: Readonly<Record<string, unknown>>;
  },
): Promise<Record<string, unknown>> {
  const type = flags.type ?? (flags.target === "all" ? "ops" : "batch");
  return withoutEmpty({
    Name: flags.name,
    Namespace: flags.namespace ?? await settings.get("namespace"),
    Type: type,
    Count: flags.count ?? flags.concurrency ?? (type === "ops" || type === "daemon" ? undefined : 1),
    Priority: flags.priority,
    Labels: flags.labels.length ? parsePairs(flags.labels, "--labels") : undefined,
    Constraints: flags.constraints === undefined ? undefined : await constraintsOf(flags.constraints),
    ...more,
    Tasks: [taskOf(flags, { inputs: [...flags.input.map(parseInput), ...inputs], engine, ports })],
  });
}

function taskOf(
  flags: Flags,
  { inputs, engine, ports }: { inputs: readonly WireInput[]; engine: unknown; ports: readonly WirePort[] },
) {
  const results = flags.output.map(parseResultPath);
  return withoutEmpty({
    Name: flags.taskName ?? "main",
    Engine: engine,
    Publisher: flags.publisher === undefined ? undefined : parsePublisher(flags.publisher),
    Env: flags.env.length ? parsePairs(flags.env, "--env") : undefined,
    InputSources: inputs.length ? inputs : undefined,
    ResultPaths: results.length ? results : undefined,
    Resources: someOf({ CPU: flags.cpu, Memory: flags.memory, Disk: flags.disk, GPU: flags.gpu }),
    Network: networkOf(flags, ports),
    Timeouts: withoutEmpty({
      TotalTimeout: seconds(flags.timeout),
      QueueTimeout: seconds(flags.queueTimeout),
    }),
  });
}

/** Domains and ports say what network they need. */
function networkOf({ network, domain }: Flags, ports: readonly WirePort[]) {
  const type = network ?? (domain.length ? "HTTP" : ports.length ? "Bridge" : undefined);
  if (type === undefined) return undefined;
  return withoutEmpty({
    Type: type,
    Domains: domain.length ? domain : undefined,
    Ports: ports.length ? ports : undefined,
  });
}

/** Whole seconds, as job specs have them. */
const seconds = (ms: number | undefined) => ms === undefined ? undefined : Math.ceil(ms / 1000);

async function constraintsOf(selector: string) {
  const { parseSelector } = await import("../shared/spec/selector.ts");
  return parseSelector(selector).map(({ key, operator, values }) => ({
    Key: key,
    Operator: operator,
    Values: values,
  }));
}

/** Without the fields that have no value. */
export function withoutEmpty(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

/** Absent when every field is. */
function someOf(record: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const kept = withoutEmpty(record);
  return Object.keys(kept).length ? kept : undefined;
}
