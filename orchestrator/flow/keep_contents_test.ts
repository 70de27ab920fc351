import assert from "node:assert/strict";
import { systemClock } from "../../shared/clock.ts";
import { Database } from "../../shared/ledger/database.ts";
import { seededIds } from "../../shared/random.ts";
import { digestOf } from "../../shared/spec/content.ts";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { aSpec, aTask } from "../../tests/support/builders.ts";
import { openContents } from "../store/contents.ts";
import { APPLICATION_ID, MIGRATIONS } from "../store/migrations.ts";
import { composeOrchestrator } from "./compose.ts";

/** An orchestrator whose contents are in a folder. */
async function withHome(
  body: (home: {
    submit: (name: string, text: string, options?: { isSent?: boolean }) => Promise<unknown>;
    start: () => Promise<void>;
    contents: () => string[];
    folder: string;
  }) => Promise<void>,
) {
  const folder = await Deno.makeTempDir({ prefix: "skerry-contents-" });
  using database = Database.open({ path: ":memory:", migrations: MIGRATIONS, applicationId: APPLICATION_ID });
  const open = () =>
    composeOrchestrator({
      ...{
        self: "n-hub/orchestrator",
        database,
        bus: openEmbeddedBus(),
        clock: systemClock,
        ids: seededIds(1),
      },
      contents: openContents(folder),
      refuses: () => undefined,
      nudge: () => {},
    });
  let program = open();
  const tick = (name: string) => program.stages.find((stage) => stage.name === name)!.tick();
  try {
    await body({
      folder,
      contents: () => [...Deno.readDirSync(folder)].map(({ name }) => `sha256:${name}`).sort(),
      async submit(name, text, { isSent = true } = {}) {
        const bytes = new TextEncoder().encode(text);
        const source = { type: "inline", params: { Digest: digestOf(bytes), SizeBytes: bytes.length } };
        const task = aTask({ inputs: [{ source, alias: "", target: "/in" }] });
        const answer = program.desk.submit({
          spec: aSpec({ name, task }),
          contents: new Map(isSent ? [[digestOf(bytes), bytes]] : []),
        });
        let isOver = false;
        answer.catch(() => {}).finally(() => isOver = true);
        while (!isOver) {
          await tick("turn");
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        await tick("keep_contents");
        return await answer;
      },
      async start() {
        program.close();
        program = open();
        await tick("keep_contents");
      },
    });
  } finally {
    program.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const digest = (text: string) => digestOf(new TextEncoder().encode(text));

Deno.test("a refused submission leaves no contents, and takes none from a job", () =>
  withHome(async ({ submit, contents, start }) => {
    await submit("etl", "first");
    await assert.rejects(submit("etl", "first"), { code: "no_changes" });
    assert.deepEqual(contents(), [digest("first")]);
    await assert.rejects(submit("j-00000000-0000-0000-0000-000000000000", "other"), { code: "invalid" });
    assert.deepEqual(contents(), [digest("first")]);
    await start();
    assert.deepEqual(contents(), [digest("first")]);
  }));

Deno.test("a job that names content by its digest uses it as well", () =>
  withHome(async ({ submit, contents, start }) => {
    await assert.rejects(submit("a", "text", { isSent: false }), { code: "invalid" });
    await submit("a", "text");
    await submit("b", "text", { isSent: false });
    await start();
    assert.deepEqual(contents(), [digest("text")]);
  }));

Deno.test("what a crash has left is removed at the next start", () =>
  withHome(async ({ submit, contents, start, folder }) => {
    await submit("a", "text");
    Deno.writeTextFileSync(`${folder}/${digest("unused").slice("sha256:".length)}`, "unused");
    Deno.writeTextFileSync(`${folder}/${digest("half").slice("sha256:".length)}.half-written`, "ha");
    await start();
    assert.deepEqual(contents(), [digest("text")]);
  }));

Deno.test("the same content submitted and refused many times at once is there for the job that is taken", () =>
  withHome(async ({ submit, contents }) => {
    const results = await Promise.allSettled(
      ["etl", "etl", "etl", "etl"].map((name) => submit(name, "same")),
    );
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    assert.deepEqual(contents(), [digest("same")]);
  }));
