/**
 * Listens on the loopback device of another network namespace (Linux, as root). A socket belongs to the namespace that its
 * thread is in when it is made, and stays there: the thread enters, listens and returns, without anything in between.
 */
import { AppError } from "../../shared/errors.ts";
import { invariant, InvariantError } from "../../shared/invariant.ts";

/** A process in the namespace, and how to know it again: pids are given anew. */
export interface NamespaceOf {
  readonly pid: number;
  /** Id of its container, which is in its cgroup's name. */
  readonly containerId: string;
}

const CLONE_NEWNET = 0x4000_0000;
const O_CLOEXEC = 0x8_0000;
const OWN = "/proc/thread-self/ns/net";

/** Why no namespace can be entered here; undefined when it may work. */
export function whyNotEnter(): string | undefined {
  if (Deno.build.os !== "linux") return "it works on Linux only";
  const uid = Deno.uid();
  return uid === 0 ? undefined : `it needs root: the agent runs as the user ${uid}`;
}

/**
 * Listens at `port` of 127.0.0.1 in a namespace that has nothing but its loopback device. Errors: `unavailable` when the
 * process is not there or is not the container's, when its namespace has another way out, or when the port is taken there.
 */
export function listenIn({ pid, containerId }: NamespaceOf, port: number): Deno.TcpListener {
  const path = `/proc/${pid}/ns/net`;
  const read = (name: string) => Deno.readTextFileSync(`/proc/${pid}/${name}`);
  try {
    const devices = read("net/dev").split("\n").slice(2).map((line) => line.split(":")[0]!.trim());
    if (!read("cgroup").includes(containerId)) throw new Error(`process ${pid} is not the container's`);
    if (Deno.readLinkSync(path) === Deno.readLinkSync(OWN)) throw new Error("it is the node's own network");
    const ways = devices.filter((name) => name !== "" && name !== "lo");
    if (ways.length > 0) throw new Error(`it has another way out: ${ways.join(", ")}`);
    return within(path, () => Deno.listen({ hostname: "127.0.0.1", port }));
  } catch (cause) {
    if (cause instanceof InvariantError) throw cause;
    throw new AppError(
      "unavailable",
      `Cannot listen in the container's network: ${(cause as Error).message}`,
      {
        hint: "The network http needs the agent on the Docker Engine's machine, as root",
        cause,
      },
    );
  }
}

/** Runs `work` with this thread in the namespace. It must not wait, nor make threads. */
function within<Result>(path: string, work: () => Result): Result {
  using libc = Libc.open();
  const own = libc.openFile(OWN);
  try {
    const other = libc.openFile(path);
    try {
      libc.enter(other);
      try {
        return work();
      } finally {
        const isBack = libc.tryEnter(own);
        invariant(isBack, "the agent's thread did not come back into its own network");
      }
    } finally {
      libc.closeFile(other);
    }
  } finally {
    libc.closeFile(own);
  }
}

const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
} as const;

/** The three calls of the C library that Deno does not have. */
class Libc implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#library = library;
  }

  static open(): Libc {
    return new Libc(Deno.dlopen("libc.so.6", SYMBOLS));
  }

  openFile(path: string): number {
    const file = this.#library.symbols.open(new TextEncoder().encode(`${path}\0`), O_CLOEXEC);
    if (file < 0) throw new Error(`${path} cannot be opened`);
    return file;
  }

  closeFile(file: number): void {
    this.#library.symbols.close(file);
  }

  enter(file: number): void {
    if (!this.tryEnter(file)) throw new Error("it cannot be entered: that takes the right SYS_ADMIN");
  }

  tryEnter(file: number): boolean {
    return this.#library.symbols.setns(file, CLONE_NEWNET) === 0;
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
