/** What the fields of a job mean together: rules that no single field can break alone. */
import { canonicalAddress } from "../addresses.ts";
import type { Constraint } from "../model/constraint.ts";
import { isJobId, looksLikeId } from "../model/ids.ts";
import type { InputSource, JobSpec, Task } from "../model/job.ts";
import { resultNameProblem } from "../model/result_name.ts";
import type { Path, Problems } from "./problems.ts";
import { isWithin, whyNoName } from "./texts.ts";

/** An input with the place in the document where it was written. */
export interface PlacedInput {
  readonly input: InputSource;
  readonly path: Path;
}

/** Keys of a free map. */
export function checkKeys(map: Readonly<Record<string, string>>, path: Path, problems: Problems): void {
  for (const key of Object.keys(map)) {
    const why = key.trim() === "" ? "must not have an empty name" : whyNoName(key);
    if (why) problems.add([...path, key], key.trim() === "" ? why : `(the name) ${why}`);
  }
}

/** Names and values of environment variables, by Bacalhau's rules. */
export function checkEnv(env: Readonly<Record<string, string>>, path: Path, problems: Problems): void {
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Z][A-Z0-9_]*$/.test(name)) {
      problems.add(
        [...path, name],
        "must have a name of upper-case letters, digits and _, beginning with a letter",
      );
    } else if (name.startsWith("BACALHAU_")) {
      problems.add(
        [...path, name],
        "must have a name that does not begin with BACALHAU_, which is set by the node",
      );
    } else if (value === "") {
      problems.add([...path, name], "must not be empty");
    }
  }
}

/** How many values each operator takes. */
export function checkConstraint({ operator, values }: Constraint, path: Path, problems: Problems): void {
  const at = [...path, "Values"];
  if (operator === "exists" || operator === "!") {
    if (values.length) problems.add(at, `must be empty for the operator "${operator}"`, values);
  } else if (operator === "in" || operator === "notin") {
    if (!values.length) {
      problems.add(at, `must have at least one value for the operator "${operator}"`, values);
    }
  } else if (values.length !== 1) {
    problems.add(at, `must have exactly one value for the operator "${operator}"`, values);
  } else if ((operator === "gt" || operator === "lt") && !/^[+-]?\d{1,18}$/.test(values[0] ?? "")) {
    problems.add([...at, 0], `must be a whole number for the operator "${operator}"`, values[0]);
  }
}

/** Targets and aliases of inputs: no two the same, none inside another. */
export function checkInputs(inputs: readonly PlacedInput[], problems: Problems): void {
  const aliases = new Set<string>();
  for (const [at, { input, path }] of inputs.entries()) {
    if (input.target === "/") problems.add([...path, "Target"], "must be a path below /", input.target);
    if (input.alias !== input.target && aliases.has(input.alias)) {
      problems.add([...path, "Alias"], "must be used once", input.alias);
    }
    aliases.add(input.alias);
    const other = inputs.slice(0, at).find((earlier) => overlap(earlier.input.target, input.target));
    if (!other) continue;
    const must = other.input.target === input.target
      ? "must be used by one input"
      : "must not overlap another input's";
    problems.add([...path, "Target"], must, input.target);
  }
}

const overlap = (a: string, b: string) => isWithin(a, b) || isWithin(b, a);

/** Names and places of results: usable as folder names, unique, not in an input. */
export function checkResultPaths(task: Task, path: Path, problems: Problems): void {
  const [names, paths] = [new Set<string>(), new Set<string>()];
  for (const [at, { name, path: kept }] of task.resultPaths.entries()) {
    const nameAt = [...path, "ResultPaths", at, "Name"];
    const pathAt = [...path, "ResultPaths", at, "Path"];
    const problem = resultNameProblem(name);
    if (name === "") problems.add(nameAt, "must not be empty");
    else if (problem !== undefined) problems.add(nameAt, `must ${problem}`, name);
    else if (names.has(name)) problems.add(nameAt, "must be used once", name);
    if (kept === "/") problems.add(pathAt, "must be a path below /", kept);
    else if (paths.has(kept)) problems.add(pathAt, "must be used once", kept);
    const input = task.inputs.find(({ target }) => isWithin(kept, target));
    if (input) problems.add(pathAt, `must not be in the input "${input.target}"`, kept);
    names.add(name);
    paths.add(kept);
  }
  if (task.resultPaths.length && !task.publisher) {
    problems.add([...path, "Publisher"], "must be set if result paths are set");
  }
}

/** Time-outs add up. */
export function checkTimeouts({ timeouts }: Task, path: Path, problems: Problems): void {
  const { executionMs, queueMs, totalMs } = timeouts;
  if (totalMs > 0 && executionMs + queueMs > totalMs) {
    const [execution, queue, total] = [executionMs, queueMs, totalMs].map((durationMs) =>
      `${durationMs / 1000}s`
    );
    const is = `current values are ${execution}, ${queue} and ${total}`;
    problems.add([...path, "Timeouts"], `must have ExecutionTimeout + QueueTimeout <= TotalTimeout, ${is}`);
  }
}

const DOMAIN = /^(\*\.|\.)?([a-z0-9_]+(-+[a-z0-9]+)*\.)+[a-z]{2,}$/;

/** Domains only where a gateway can honour them. */
export function checkNetwork({ network }: Task, path: Path, problems: Problems): void {
  const at = [...path, "Network", "Domains"];
  if (network.domains.length && network.type !== "http") {
    problems.add(at, 'must be empty unless the network type is "HTTP"', network.domains);
  }
  for (const [index, domain] of network.domains.entries()) {
    const why = whyNoDomain(domain);
    if (why) problems.add([...at, index], why, domain);
  }
}

/** Ports by Bacalhau's rules: only where the network has them, each name and each port once. */
export function checkPorts({ network, engine }: Task, path: Path, problems: Problems): void {
  const { type, ports = [] } = network;
  const at = [...path, "Network", "Ports"];
  if (ports.length === 0) return;
  if (!["bridge", "host", "full"].includes(type) || engine.type === "wasm") {
    return problems.add(
      at,
      'must be empty unless it is a container with the network type "Bridge" or "Host"',
    );
  }
  const seen = new Set<string>();
  const once = (what: string, at: Path, value: string | number) => {
    if (seen.has(`${what} ${value}`)) problems.add(at, "must be used once", value);
    seen.add(`${what} ${value}`);
  };
  for (const [index, { name, hostPort, targetPort, hostAddress }] of ports.entries()) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      problems.add([...at, index, "Name"], "must be letters, digits and _, not beginning with a digit", name);
    }
    once("name", [...at, index, "Name"], name);
    if (hostPort !== undefined) once("host", [...at, index, "Static"], hostPort);
    if (targetPort !== undefined && type !== "bridge") {
      problems.add(
        [...at, index, "Target"],
        'must not be set unless the network type is "Bridge"',
        targetPort,
      );
    } else if (targetPort !== undefined) once("target", [...at, index, "Target"], targetPort);
    if (hostAddress !== undefined && canonicalAddress(hostAddress) === undefined) {
      problems.add([...at, index, "HostNetwork"], "must be an IP address of the node", hostAddress);
    }
  }
}

function whyNoDomain(text: string): string | undefined {
  const [, host = text, port] = /^(\[.*\]|[^:]*):(\d{1,6})$/.exec(text) ?? [];
  const isHost = DOMAIN.test(host) || canonicalAddress(host.replace(/^\[(.*)\]$/, "$1")) !== undefined;
  if (!isHost) return 'must be a domain like "example.org", "*.example.org" or "example.org:8080"';
  return port === undefined || (Number(port) > 0 && Number(port) < 65536)
    ? undefined
    : "must have a port up to 65535";
}

/** The modules that a WebAssembly task names are inputs. */
export function checkModules(task: Task, path: Path, problems: Problems): void {
  const { EntryModule: entry, ImportModules: imports } = task.engine.params;
  const targets = new Set(task.inputs.map(({ target }) => target));
  const check = (module: unknown, at: Path) => {
    if (!targets.has(String(module))) problems.add(at, "must be the Target of an input source", module);
  };
  check(entry, [...path, "EntryModule"]);
  if (!Array.isArray(imports)) return;
  for (const [at, module] of imports.entries()) check(module, [...path, "ImportModules", at]);
}

/** Rules of the job itself. */
export function checkJob(spec: JobSpec, problems: Problems): void {
  // A whole id is the name of a job without one: admission knows whether there is such a job.
  if (looksLikeId(spec.name) && !isJobId(spec.name)) {
    problems.add(["Name"], "must not look like an ID, which it would hide", spec.name);
  }
  if (spec.namespace === "*") {
    problems.add(["Namespace"], 'must not be "*", which means every namespace in lists');
  }
  for (const [at, constraint] of spec.constraints.entries()) {
    checkConstraint(constraint, ["Constraints", at], problems);
  }
}
