/** What every engine promises. The body below is run on each adapter; programs are what an adapter has to bring. */
import { deepStrictEqual as assertEquals, ok as assert, rejects as assertRejects } from "node:assert";
import type { Engine, EngineExit, EngineTask } from "../../agent/engines/engine.ts";
import { LOG_START, readLogs } from "../../agent/engines/log_files.ts";
import { runsOf, TaskFolder } from "../support/engine_tasks.ts";
import { waitUntil } from "../support/wait_until.ts";

/** What programs do that an adapter brings. */
export type Program =
  /** Prints `out` and `err` with a newline, appends `ran` to `/outputs/log`, ends with 3. */
  | "prints"
  /** Copies `/inputs/file` to stderr, ends with 0. */
  | "copies"
  /** Prints `begin`, waits for `/inputs/go`, prints `end`, ends with 7. */
  | "waits"
  /** Prints `begin`, then computes for ever. */
  | "loops";

/** An adapter under test. */
export interface Subject {
  readonly name: string;
  open(): Promise<Engine>;
  /** What is to be changed in a task so that it runs the program. */
  task(folder: TaskFolder, program: Program, changes?: Partial<EngineTask>): Promise<EngineTask>;
  /** A process that opens the engine, starts tasks, prints a line, and holds on until it is killed. */
  hold(tasks: readonly EngineTask[]): Deno.ChildProcess;
  /** The process in which a running task is. */
  processOf(task: EngineTask): Promise<number>;
  /** Whether the engine has begun with a task. */
  hasBegun(task: EngineTask): Promise<boolean>;
}

const GRACE = { graceMs: 1000 };

export async function textOf(task: EngineTask, stream: "stdout" | "stderr"): Promise<string> {
  return await Deno.readTextFile(`${task.folder}/${stream}`);
}

async function hasPrinted(task: EngineTask, text: string): Promise<boolean> {
  return (await textOf(task, "stdout").catch(() => "")).includes(text);
}

async function isThere(pid: number): Promise<boolean> {
  const state = (await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "")).split(") ")[1]?.[0];
  return state !== undefined && state !== "Z";
}

export function assertInterrupted(exit: EngineExit | undefined): void {
  assert(exit?.kind === "failed" && exit.code === "interrupted", JSON.stringify(exit));
  assert(exit.hint);
}

/** Starts the tasks in a process of their own, kills that process, and returns when it is gone. */
async function killHolder(
  subject: Subject,
  tasks: readonly EngineTask[],
  whenReady: () => Promise<unknown>,
): Promise<void> {
  const holder = subject.hold(tasks);
  const reader = holder.stdout.getReader();
  const { value } = await reader.read();
  assertEquals(new TextDecoder().decode(value), "started\n");
  await whenReady();
  holder.kill("SIGKILL");
  await holder.status;
  await reader.cancel();
  await holder.stdin.close().catch(() => {});
}

/** Registers the tests for one adapter. */
export function engineContract(subject: Subject): void {
  const test = (name: string, body: (engine: Engine, folder: TaskFolder) => Promise<void>) =>
    Deno.test(`engine ${subject.name}: ${name}`, async () => {
      await using folder = await TaskFolder.make();
      const engine = await subject.open();
      try {
        await body(engine, folder);
      } finally {
        await engine.close();
      }
    });

  test("probe() says that it can be used, and in which version", async (engine) => {
    const probe = await engine.probe();
    assert(probe.isAvailable && probe.version !== "");
  });

  test("a task's exit code, output and results are there when wait() resolves", async (engine, folder) => {
    const task = await subject.task(folder, "prints");
    await engine.start(task);
    assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 3 });
    assertEquals(await textOf(task, "stdout"), "out\n");
    assertEquals(await textOf(task, "stderr"), "err\n");
    assertEquals(await Deno.readTextFile(`${task.folder}/exitCode`), "3");
    assertEquals(await Deno.readTextFile(`${task.results[0]!.hostPath}/log`), "ran\n");
    const logs = await readLogs(task.folder, LOG_START, 1000);
    assertEquals(logs.records.map((record) => record.stream), ["stdout", "stderr"]);
    assert(logs.isComplete);
  });

  test("a task reads its inputs", async (engine, folder) => {
    await folder.file("inputs/file", "from a file ".repeat(2000));
    const task = await subject.task(folder, "copies");
    await engine.start(task);
    assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 0 });
    assert(await textOf(task, "stderr") === "from a file ".repeat(2000));
  });

  test("a second start does nothing, while it runs and when it has ended", async (engine, folder) => {
    const task = await subject.task(folder, "prints");
    await Promise.all([engine.start(task), engine.start(task)]);
    await engine.wait(task.executionId);
    await engine.start(task);
    await engine.wait(task.executionId);
    assertEquals(await Deno.readTextFile(`${task.results[0]!.hostPath}/log`), "ran\n");
  });

  test(
    "an ended execution is not started again by another engine, which knows its end",
    async (engine, folder) => {
      const task = await subject.task(folder, "prints");
      await engine.start(task);
      const exit = await engine.wait(task.executionId);
      await engine.close();
      const other = await subject.open();
      await other.start(task);
      assertEquals(await other.wait(task.executionId), exit);
      assertEquals(await Deno.readTextFile(`${task.results[0]!.hostPath}/log`), "ran\n");
      await other.close();
    },
  );

  test(
    "wait() on something unknown is interrupted; aborting it only ends the waiting",
    async (engine, folder) => {
      assertInterrupted(await engine.wait("nobody"));
      const task = await subject.task(folder, "waits");
      await engine.start(task);
      const controller = new AbortController();
      const waiting = engine.wait(task.executionId, controller.signal);
      controller.abort(new Error("enough"));
      await assertRejects(waiting, /enough/);
      await folder.file("inputs/go", "");
      assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 7 });
    },
  );

  test("stop() ends an endless loop, and others do not notice", async (engine, folder) => {
    const loops = await subject.task(folder, "loops");
    const other = await subject.task(folder, "waits");
    await Promise.all([engine.start(loops), engine.start(other)]);
    await waitUntil("the loop prints", () => hasPrinted(loops, "begin"));
    const pid = await subject.processOf(loops);
    await engine.stop(loops.executionId, GRACE);
    assert(!await isThere(pid));
    assertEquals((await engine.wait(loops.executionId)).kind, "stopped");
    assertEquals(await textOf(loops, "stdout"), "begin\n");
    assert((await readLogs(loops.folder, LOG_START, 1000)).isComplete);
    await folder.file("inputs/go", "");
    assertEquals(await engine.wait(other.executionId), { kind: "exited", exitCode: 7 });
  });

  test("stop() of what is unknown or has ended does nothing", async (engine, folder) => {
    await engine.stop("nobody", GRACE);
    const task = await subject.task(folder, "prints");
    await engine.start(task);
    const exit = await engine.wait(task.executionId);
    await engine.stop(task.executionId, GRACE);
    assertEquals(await engine.wait(task.executionId), exit);
  });

  test("stop() right after start() ends it all the same", async (engine, folder) => {
    const task = await subject.task(folder, "loops");
    const starting = engine.start(task);
    await engine.stop(task.executionId, GRACE);
    await starting;
    assertEquals((await engine.wait(task.executionId)).kind, "stopped");
  });

  test(
    "list() tells what runs and what has ended, and nothing of what was never started",
    async (engine, folder) => {
      const ended = await subject.task(folder, "prints");
      const running = await subject.task(folder, "waits");
      const never = await subject.task(folder, "prints");
      await Promise.all([engine.start(ended), engine.start(running)]);
      const exit = await engine.wait(ended.executionId);
      const folders = runsOf(ended, running, never);
      const expected = [
        { executionId: ended.executionId, isRunning: false, exit },
        { executionId: running.executionId, isRunning: true },
      ];
      const sorted = async (from: Engine) =>
        [...await from.list(folders)].sort((a, b) => a.executionId < b.executionId ? -1 : 1);
      assertEquals(await sorted(engine), expected);
      await engine.close();
      const other = await subject.open();
      assertEquals(await sorted(other), expected);
      await folder.file("inputs/go", "");
      assertEquals(await other.wait(running.executionId), { kind: "exited", exitCode: 7 });
      await other.close();
    },
  );

  test("a forgotten execution is unknown", async (engine, folder) => {
    const task = await subject.task(folder, "prints");
    await engine.start(task);
    await engine.wait(task.executionId);
    engine.forget(task.executionId);
    assertInterrupted(await engine.wait(task.executionId));
  });

  test("start() in a folder that is not there says so, and may be tried again", async (engine, folder) => {
    const task = await subject.task(folder, "prints");
    await assertRejects(engine.start({ ...task, folder: `${folder.path}/gone` }), { code: "io" });
    await engine.start(task);
    assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 3 });
  });

  test(
    "after kill -9 of the agent a task runs on and is taken over with its whole output",
    async (engine, folder) => {
      const task = await subject.task(folder, "waits");
      await killHolder(subject, [task], () => waitUntil("it prints", () => hasPrinted(task, "begin")));
      const folders = runsOf(task);
      assertEquals(await engine.list(folders), [{ executionId: task.executionId, isRunning: true }]);
      await engine.start(task);
      await folder.file("inputs/go", "");
      assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 7 });
      assertEquals(await textOf(task, "stdout"), "begin\nend\n");
      const pid = await subject.processOf(task);
      await waitUntil("its process ends", async () => !await isThere(pid));
    },
  );

  test("a task that ended while no agent was there is found with its end", async (engine, folder) => {
    const task = await subject.task(folder, "waits");
    await killHolder(subject, [task], () => waitUntil("it prints", () => hasPrinted(task, "begin")));
    await folder.file("inputs/go", "");
    const folders = runsOf(task);
    await waitUntil("its end is known", async () => (await engine.list(folders))[0]?.isRunning === false);
    assertEquals(await engine.list(folders), [
      { executionId: task.executionId, isRunning: false, exit: { kind: "exited", exitCode: 7 } },
    ]);
    assertEquals(await textOf(task, "stdout"), "begin\nend\n");
  });

  test("stop() ends a task that was taken over", async (engine, folder) => {
    const task = await subject.task(folder, "loops");
    await killHolder(subject, [task], () => waitUntil("it prints", () => hasPrinted(task, "begin")));
    const pid = await subject.processOf(task);
    await engine.list(runsOf(task));
    await engine.stop(task.executionId, GRACE);
    assert(!await isThere(pid));
    assertEquals((await engine.wait(task.executionId)).kind, "stopped");
  });

  test("a task whose process died with the agent is interrupted, and stays so", async (engine, folder) => {
    const task = await subject.task(folder, "loops");
    await killHolder(subject, [task], async () => {
      await waitUntil("it prints", () => hasPrinted(task, "begin"));
      Deno.kill(await subject.processOf(task), "SIGKILL");
    });
    const pid = await subject.processOf(task);
    await waitUntil("its process ends", async () => !await isThere(pid));
    const folders = runsOf(task);
    await waitUntil("its end is known", async () => (await engine.list(folders))[0]?.isRunning === false);
    assertInterrupted((await engine.list(folders))[0]?.exit);
    await engine.start(task);
    assertInterrupted(await engine.wait(task.executionId));
    assert((await readLogs(task.folder, LOG_START, 1000)).isComplete);
  });

  test("a task whose process is killed is interrupted", async (engine, folder) => {
    const task = await subject.task(folder, "loops");
    await engine.start(task);
    await waitUntil("it prints", () => hasPrinted(task, "begin"));
    Deno.kill(await subject.processOf(task), "SIGKILL");
    assertInterrupted(await engine.wait(task.executionId));
    const again = await subject.task(folder, "prints");
    await engine.start(again);
    assertEquals(await engine.wait(again.executionId), { kind: "exited", exitCode: 3 });
  });

  test(
    "kill -9 of the agent at any moment: what it began is taken over, each task runs once",
    async (engine, folder) => {
      for (let round = 0; round < 5; round++) {
        const tasks = await Promise.all(Array.from({ length: 8 }, () => subject.task(folder, "prints")));
        const begun = async () => (await Promise.all(tasks.map(subject.hasBegun))).filter(Boolean).length;
        const holder = subject.hold(tasks);
        await waitUntil("enough have begun", async () => await begun() >= 2 * round);
        holder.kill("SIGKILL");
        await holder.status;
        await Promise.all([holder.stdout.cancel(), holder.stdin.close().catch(() => {})]);
        await engine.list(runsOf(...tasks));
        await Promise.all(tasks.map((task) => engine.start(task)));
        for (const task of tasks) {
          assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 3 });
          assertEquals(await Deno.readTextFile(`${task.results[0]!.hostPath}/log`), "ran\n");
          assertEquals(await textOf(task, "stdout"), "out\n");
        }
      }
    },
  );

  test(
    "a later run starts once, after the end of the one before; its output follows",
    async (engine, folder) => {
      const task = await subject.task(folder, "prints");
      await engine.start(task);
      assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 3 });
      const before = await readLogs(task.folder, LOG_START, 1000);
      assert(before.isComplete);
      const again = { ...task, run: 1 };
      await Promise.all([engine.start(again), engine.start(again)]);
      await engine.start(task);
      assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 3 });
      assertEquals(await textOf(task, "stdout"), "out\nout\n");
      assertEquals(await textOf(task, "stderr"), "err\nerr\n");
      const after = await readLogs(task.folder, before.cursor, 1000);
      assertEquals(after.records.map(({ stream, bytes }) => `${stream} ${new TextDecoder().decode(bytes)}`), [
        "stdout out\n",
        "stderr err\n",
      ]);
      assert(after.isComplete);
      const exit = { kind: "exited", exitCode: 3 } as const;
      const held = { executionId: task.executionId, isRunning: false, exit };
      assertEquals(await engine.list(runsOf(again)), [held]);
      assertEquals(await engine.list(runsOf(task)), [], "of the run before nothing is held");
    },
  );

  test("a run does not start while the one before is on", async (engine, folder) => {
    const task = await subject.task(folder, "loops");
    await engine.start(task);
    await waitUntil("it prints", () => hasPrinted(task, "begin"));
    await assertRejects(() => engine.start({ ...task, run: 1 }), /has not ended/);
    await engine.stop(task.executionId, GRACE);
    await engine.start({ ...task, run: 1 });
    await waitUntil("it prints again", async () => (await textOf(task, "stdout")) === "begin\nbegin\n");
    await engine.stop(task.executionId, GRACE);
    assertEquals((await engine.wait(task.executionId)).kind, "stopped");
  });

  test(
    "a later run outlives its agent, and one that the journal does not know is ended",
    async (engine, folder) => {
      const task = { ...await subject.task(folder, "loops"), run: 2 };
      await killHolder(subject, [task], () => waitUntil("it prints", () => hasPrinted(task, "begin")));
      const pid = await subject.processOf(task);
      const other = await subject.open();
      assertEquals(await other.list(runsOf(task)), [{ executionId: task.executionId, isRunning: true }]);
      await other.close();
      assertEquals(await engine.list(runsOf({ ...task, run: 0 })), []);
      await waitUntil("its process ends", async () => !await isThere(pid));
    },
  );

  test("close() lets running tasks go on", async (engine, folder) => {
    const task = await subject.task(folder, "waits");
    const other = await subject.open();
    await other.start(task);
    await other.close();
    assertEquals(await engine.list(runsOf(task)), [
      { executionId: task.executionId, isRunning: true },
    ]);
    await folder.file("inputs/go", "");
    assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 7 });
  });
}
