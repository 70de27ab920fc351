/** A real node as a process, for e2e tests and benchmarks. */
import { VERSION } from "../../shared/version.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** As in `scripts/skerry` and in the compiled file. */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=4";

/** How a node is started. */
export interface NodeOptions {
  /** Made when absent, and removed at the end. */
  readonly dataDir?: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The executable to test instead of the source. */
  readonly executable?: string;
  /** What stands before the command, such as another program that runs it. */
  readonly before?: readonly string[];
}

/** The command that runs Skerry from the source, or the given executable. */
export function skerryCommand(executable: string | undefined, args: readonly string[]): [string, string[]] {
  if (executable !== undefined) return [executable, [...args]];
  return [Deno.execPath(), ["run", "--no-check", "-A", "--quiet", V8_FLAGS, `${ROOT}mod.ts`, ...args]];
}

/** Runs one command of the command line to its end. */
export async function skerry(
  args: readonly string[],
  options: {
    env?: Record<string, string>;
    stdin?: string;
    cwd?: string;
    executable?: string;
    /** Killed when it takes longer. */
    timeoutMs?: number;
  } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [command, all] = skerryCommand(options.executable, args);
  const child = new Deno.Command(command, {
    args: all,
    cwd: options.cwd,
    env: { NO_COLOR: "1", ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(options.timeoutMs ?? 120_000),
  }).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A running `skerry serve`. */
export interface NodeProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly dataDir: string;
  /** Everything it has written to stderr. */
  readonly log: () => string;
  /** Sends a signal and waits for the end; answers the exit code. */
  end(signal: Deno.Signal): Promise<number>;
}

/** Starts a node on a free port and waits until it says that it listens. */
export async function startNodeProcess(options: NodeOptions = {}): Promise<NodeProcess> {
  const isOwnFolder = options.dataDir === undefined;
  const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "skerry-node-" });
  const args = ["serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0", ...options.flags ?? []];
  const [command, ...all] = [...options.before ?? [], ...skerryCommand(options.executable, args).flat()];
  const child = new Deno.Command(command!, {
    args: all,
    env: { NO_COLOR: "1", ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let log = "";
  const logged = collect(child.stderr, (text) => log += text);
  const url = await readyUrl(child, () => log);
  let isEnded = false;
  const end = async (signal: Deno.Signal) => {
    if (!isEnded) child.kill(signal);
    isEnded = true;
    const { code } = await child.status;
    await logged;
    return code;
  };
  return {
    url,
    pid: child.pid,
    dataDir,
    log: () => log,
    end,
    async [Symbol.asyncDispose]() {
      await end("SIGTERM");
      if (isOwnFolder) await Deno.remove(dataDir, { recursive: true });
    },
  };
}

async function collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
}

/** The address of the ready line: `Skerry <version> listens on http://… `. */
function readyUrl(child: Deno.ChildProcess, log: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const pattern = new RegExp(`Skerry ${VERSION.replaceAll(".", "\\.")} listens on (\\S+)`);
    collect(child.stdout, (more) => {
      text += more;
      const match = pattern.exec(text);
      if (match !== null) resolve(match[1]!);
    }).then(() => reject(new Error(`serve ended before it was ready: ${text}${log()}`)));
  });
}
