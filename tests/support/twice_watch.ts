/** Watches that no place of a job is taken twice at a time: by what the kernel shows of the processes in containers. */

const LOOK_MS = 50;

interface Seen {
  /** Job and partition. */
  readonly place: string;
  /** The process namespace is the container's. */
  readonly container: string;
}

/** Looks until it is disposed of. */
export class TwiceWatch implements Disposable {
  /** Processes that are known already; undefined: none of a task. */
  #known = new Map<string, Seen | undefined>();
  readonly #timer: ReturnType<typeof setInterval>;
  /** What was seen twice, in words. */
  readonly found: string[] = [];
  /** Containers of tasks that were seen. */
  readonly seen = new Set<string>();

  constructor() {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  #look(): void {
    const pids = [...Deno.readDirSync("/proc")].map(({ name }) => name).filter((name) => /^\d+$/.test(name));
    this.#known = new Map(
      pids.map((pid) => [pid, this.#known.has(pid) ? this.#known.get(pid) : taskOf(pid)]),
    );
    const byPlace = new Map<string, Map<string, string>>();
    for (const [pid, task] of this.#known) {
      if (task === undefined) continue;
      this.seen.add(`${task.place} ${task.container}`);
      const containers = byPlace.get(task.place) ?? new Map<string, string>();
      byPlace.set(task.place, containers.set(task.container, pid));
    }
    for (const [place, containers] of byPlace) {
      // What ended while it was looked at is not there any more.
      if (containers.size > 1 && [...containers.values()].filter(isAlive).length > 1) {
        this.found.push(`${place} in ${containers.size} containers at ${new Date().toISOString()}`);
      }
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function taskOf(pid: string): Seen | undefined {
  try {
    const env = Deno.readTextFileSync(`/proc/${pid}/environ`);
    const of = (name: string) => new RegExp(`(?:^|\0)${name}=([^\0]*)`).exec(env)?.[1];
    const job = of("SKERRY_JOB_ID");
    if (job === undefined) return undefined;
    const container = Deno.readLinkSync(`/proc/${pid}/ns/pid`);
    return { place: `${job} partition ${of("SKERRY_PARTITION_INDEX")}`, container };
  } catch {
    return undefined; // it has just ended
  }
}

function isAlive(pid: string): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !["Z", "X"].includes(stat[stat.lastIndexOf(")") + 2] ?? "");
  } catch {
    return false;
  }
}
