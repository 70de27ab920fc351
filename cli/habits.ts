/** Words that people bring along from other tools, and what they are called here. */

const JOB_VERBS: Readonly<Record<string, string>> = {
  ...same(
    "run",
    "list",
    "describe",
    "explain",
    "executions",
    "history",
    "logs",
    "wait",
    "get",
    "stop",
    "validate",
    "plan",
    "rerun",
    "versions",
  ),
  ...all("job stop", "cancel", "kill", "rm", "remove", "delete", "terminate", "abort"),
  ...all("job describe", "status", "show", "inspect", "info"),
  ...all("job explain", "why"),
  ...all("job plan", "diff", "preview"),
  ...all("job list", "ls", "ps", "jobs"),
  ...all("job run", "submit", "create", "apply", "start"),
  ...all("job get", "results", "result", "download", "fetch"),
  ...all("job logs", "log", "output", "tail", "attach"),
  ...all("job history", "events"),
  ...all("job rerun", "restart", "retry", "again"),
};

/** By the word before; `""` is the first word. */
export const HABITS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "": {
    ...JOB_VERBS,
    run: "job run, or skerry wasm run",
    ...all("node list", "nodes"),
    ...all("serve", "server", "up", "daemon", "devstack"),
    ...all("system prune", "prune", "gc", "clean", "df"),
    ...all("agent alive", "ping", "alive", "health"),
    ...all("config list", "settings"),
  },
  job: JOB_VERBS,
  docker: JOB_VERBS,
  wasm: JOB_VERBS,
  node: {
    ...all("node list", "status", "ls", "ps", "nodes"),
    ...all("node describe", "show", "inspect", "info", "get"),
    ...all("node drain NODE --keep", "cordon", "disable"),
    ...all("node drain NODE --cancel", "uncordon", "undrain", "enable"),
  },
  namespace: {
    ...all("namespace set", "create", "add", "update", "apply"),
    ...all("namespace list", "ls"),
    ...all("namespace describe", "show", "status", "get", "inspect"),
    ...all("namespace delete", "rm", "remove", "unset"),
  },
  system: all("system prune", "df", "gc", "clean", "clear"),
  config: { ...all("config list", "ls", "show"), ...all("config unset", "rm", "remove", "delete") },
  agent: { ...all("agent alive", "status", "health", "ping"), ...all("agent node", "info", "describe") },
};

function phrase(hint: string, flags: readonly string[]): Record<string, string> {
  return Object.fromEntries(flags.map((flag) => [flag, hint]));
}

function all(command: string, ...words: readonly string[]): Record<string, string> {
  return Object.fromEntries(words.map((word) => [word, command]));
}

function same(...verbs: readonly string[]): Record<string, string> {
  return Object.fromEntries(verbs.map((verb) => [verb, `job ${verb}`]));
}

/** Flags of `docker run`, and what does their work here. */
const DOCKER_FLAGS: Readonly<Record<string, string>> = {
  ...phrase("For a path of the node: -i /PATH:/TARGET, and -o NAME:/PATH for what is to be kept", [
    ...["-v", "--volume", "--mount"],
  ]),
  ...phrase("Jobs run in the background: --no-wait does not wait for the end", ["-d", "--detach"]),
  ...phrase("Leave it out: containers are removed once their end is recorded", ["--rm"]),
  ...phrase("Leave it out: jobs have no terminal", ["-t", "--tty", "--interactive"]),
  ...phrase("For ports of the node: --port NAME=PORT:TARGET, such as --port http=8080:80", ["--publish"]),
  ...phrase("Ask for what is needed: --cap-add NAME, as far as the node's owner allows it", ["--privileged"]),
  ...phrase("See --profile: default gives few capabilities, strict none", ["--cap-drop", "--security-opt"]),
  ...phrase("See --type service, and Restart in a job file", ["--restart"]),
  ...phrase("Did you mean --network?", ["--net"]),
  ...phrase("Did you mean --memory?", ["-m"]),
  ...phrase("Name each: -e KEY=VALUE, or Env in a job file", ["--env-file"]),
};

/** What to say of a flag that a command does not have, and another tool has. */
export function flagHint(flag: string, noun: string | undefined): string | undefined {
  return noun === "docker" && Object.hasOwn(DOCKER_FLAGS, flag) ? DOCKER_FLAGS[flag] : undefined;
}

/** `Did you mean skerry job logs?` for an unknown word after a known one (or after nothing). */
export function habitHint(word: string, after = ""): string | undefined {
  const habits = Object.hasOwn(HABITS, after) ? HABITS[after]! : {};
  return Object.hasOwn(habits, word) ? `Did you mean skerry ${habits[word]}?` : undefined;
}
