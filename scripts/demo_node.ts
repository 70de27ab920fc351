/** The demo's node: `skerry serve` from this clone's source as a child process, and the same executable as a client. */

const ROOT = new URL("..", import.meta.url).pathname;
const READY_MS = 20_000;
const STOP_MS = 15_000;
const POLL_MS = 40;
const LOG_TAIL_LINES = 12;

/** A running node and a command line that speaks to it. */
export interface DemoNode extends AsyncDisposable {
  /** Where its API is. */
  readonly api: string;
  /** Runs one command of the command line against this node; returns what it printed. Throws when it fails. */
  command(args: readonly string[]): Promise<string>;
  /** The last lines of the node's log. */
  logTail(): Promise<string>;
}

/** Starts a node that keeps everything under `folder`, and returns once it answers. Disposing it stops it. */
export async function startNode(
  folder: string,
  options: { readonly allowPath: string; readonly signal: AbortSignal },
): Promise<DemoNode> {
  const listen = `127.0.0.1:${freePort()}`;
  const api = `http://${listen}`;
  const logPath = `${folder}/node.log`;
  const child = skerry([
    "serve",
    "--data-dir",
    `${folder}/node`,
    "--listen",
    listen,
    "--allow-path",
    options.allowPath,
  ])
    .spawn();
  const log = keepLog(child, logPath);
  const node: DemoNode = {
    api,
    command: (args) => runClient([...args, "--api", api]),
    logTail: () => readTail(logPath),
    [Symbol.asyncDispose]: async () => {
      await stopChild(child);
      await log;
    },
  };
  try {
    await waitUntilReady(child, api, options.signal);
  } catch (error) {
    await node[Symbol.asyncDispose]();
    throw new Error(`The node did not start\n${await node.logTail()}`, { cause: error });
  }
  return node;
}

function skerry(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--config", `${ROOT}deno.json`, "-A", `${ROOT}mod.ts`, ...args],
    // What the user has set for a node of their own must not reach this one.
    env: Object.fromEntries(
      Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("SKERRY_")),
    ),
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function runClient(args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await skerry(args).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`"skerry ${args.join(" ")}" failed\n${new TextDecoder().decode(stderr).trimEnd()}`);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function keepLog(child: Deno.ChildProcess, path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, append: true });
  const append = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const chunk of stream) {
      for (let from = 0; from < chunk.length;) from += await file.write(chunk.subarray(from));
    }
  };
  await Promise.all([append(child.stdout), append(child.stderr)]);
}

async function readTail(path: string): Promise<string> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.trimEnd().split("\n").slice(-LOG_TAIL_LINES).join("\n");
}

async function waitUntilReady(child: Deno.ChildProcess, api: string, signal: AbortSignal): Promise<void> {
  const exited = child.status.then(({ code }) => {
    throw new Error(`It ended with exit code ${code}`);
  });
  exited.catch(() => {});
  await Promise.race([exited, answers(api, AbortSignal.any([signal, AbortSignal.timeout(READY_MS)]))]);
}

async function answers(api: string, signal: AbortSignal): Promise<void> {
  while (true) {
    signal.throwIfAborted();
    const response = await fetch(`${api}/api/v1/agent/alive`, { signal }).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function stopChild(child: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
  };
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), STOP_MS);
  await child.status;
  clearTimeout(timer);
}
