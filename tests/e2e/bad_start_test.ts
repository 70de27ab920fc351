/** Starts that cannot be: each ends with what is wrong and what to do, and leaves the data folder as it was. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type NodeProcess, skerry, startNodeProcess } from "../support/node_process.ts";
import { tinyJob } from "../support/tiny_module.ts";
import { mountSmallDisk } from "../support/small_disk.ts";

const KIB = 1024;
const STORES = ["orchestrator/orchestrator.db", "agent/agent.db"] as const;

interface Failed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `serve` with these flags must end by itself. */
function serve(flags: readonly string[], env?: Record<string, string>): Promise<Failed> {
  const listen = flags.includes("--listen") || env?.SKERRY_LISTEN ? [] : ["--listen", "127.0.0.1:0"];
  return skerry(["serve", ...listen, ...flags], { env, timeoutMs: 20_000 });
}

/** Message and hint, and nothing else. */
function assertRefused({ code, stdout, stderr }: Failed, expected: { code: number; says: RegExp }): void {
  assert.equal(code, expected.code, stderr);
  assert.equal(stdout, "", "it never said that it listens");
  assert.match(stderr, expected.says);
  assert.match(stderr, /\nHint: \S/);
  assert.doesNotMatch(stderr, /\n\s+at |bug in Skerry/);
}

/** A data folder in which one job has run. */
async function usedFolder(): Promise<string> {
  const dataDir = await Deno.makeTempDir({ prefix: "skerry-used-" });
  await using node = await startNodeProcess({ dataDir });
  const { code, stderr } = await runTiny(node, "first");
  assert.equal(code, 0, stderr);
  return dataDir;
}

function runTiny(node: NodeProcess, name: string): Promise<Failed> {
  const stdin = JSON.stringify({ ...tinyJob(), Name: name });
  return skerry(["job", "run", "--wait-timeout", "20s", "-"], { stdin, env: { SKERRY_API: node.url } });
}

/** Every file with its content, but for the lock. */
function contentOf(folder: string, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (name === "lock") continue;
    const path = `${folder}/${name}`;
    if (isDirectory) { for (const entry of contentOf(path, `${prefix}${name}/`)) found.set(...entry); }
    else found.set(`${prefix}${name}`, Deno.readFileSync(path).toBase64());
  }
  return found;
}

Deno.test("a data folder that another node has is refused, and the other one goes on", async () => {
  await using node = await startNodeProcess();
  assertRefused(await serve(["--data-dir", node.dataDir]), {
    code: 4,
    says: /^Error: Cannot use the data folder ".*": another Skerry has it\n/,
  });
  const { code, stderr } = await runTiny(node, "still");
  assert.equal(code, 0, stderr);
});

Deno.test("a data folder whose node was killed is free at once", async () => {
  const dataDir = await usedFolder();
  try {
    const killed = await startNodeProcess({ dataDir });
    await killed.end("SIGKILL");
    await using node = await startNodeProcess({ dataDir });
    const { code, stderr } = await runTiny(node, "second");
    assert.equal(code, 0, stderr);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a data folder that is a file is refused", async () => {
  const path = await Deno.makeTempFile();
  try {
    assertRefused(await serve(["--data-dir", path]), {
      code: 1,
      says: /^Error: Cannot use the data folder ".*": /,
    });
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a data folder that is read-only is refused", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: 1024 * KIB });
  if (disk === undefined) return;
  await disk.remount("ro");
  assertRefused(await serve(["--data-dir", disk.path]), {
    code: 1,
    says:
      /^Error: Cannot use the data folder ".*": (unable to open|Read-only).*\nHint: Check its owner, its permissions/,
  });
});

Deno.test("a data folder that has no byte free is refused", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: 64 * KIB });
  if (disk === undefined) return;
  disk.fill();
  assertRefused(await serve(["--data-dir", `${disk.path}/data`]), {
    code: 1,
    says: /^Error: Cannot use .*(No space left|disk is full).*\nHint: .*(free space|Free some space)/,
  });
});

Deno.test("a data folder of a newer version is refused, and not touched", async (t) => {
  const dataDir = await usedFolder();
  try {
    for (const store of STORES) {
      await t.step(store, async () => {
        const path = `${dataDir}/${store}`;
        const version = setVersion(path, 999);
        const before = contentOf(dataDir);
        assertRefused(await serve(["--data-dir", dataDir]), {
          code: 1,
          says:
            /Cannot open ".*\.db": it must be of format \d+ or older, current format is 999\nHint: .*upgrade this one/,
        });
        assert.deepEqual(contentOf(dataDir), before);
        setVersion(path, version);
      });
    }
    await t.step("and taken again by that version, with everything in it", async () => {
      await using node = await startNodeProcess({ dataDir });
      const { stdout } = await skerry(["job", "list"], { env: { SKERRY_API: node.url } });
      assert.match(stdout, /completed .* first/);
    });
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

function setVersion(path: string, version: number): number {
  const database = new DatabaseSync(path);
  const before = database.prepare("PRAGMA user_version").get()!.user_version as number;
  database.exec(`PRAGMA user_version = ${version}; PRAGMA wal_checkpoint(TRUNCATE)`);
  database.close();
  return before;
}

Deno.test("a corrupt store is refused with its path, and not touched", async (t) => {
  const dataDir = await usedFolder();
  const ways: Record<string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array> = {
    "random bytes": (bytes) => crypto.getRandomValues(new Uint8Array(Math.min(bytes.length, 60 * KIB))),
    "cut off": (bytes) => bytes.slice(0, 5000),
    "scrambled behind its first page": (bytes) => {
      for (let at = KIB; at < bytes.length; at += 60 * KIB) {
        crypto.getRandomValues(bytes.subarray(at, at + 60 * KIB));
      }
      return bytes;
    },
    "another program's": () => {
      const path = `${dataDir}/other.db`;
      const database = new DatabaseSync(path);
      database.exec("CREATE TABLE x (y)");
      database.close();
      const bytes = Deno.readFileSync(path);
      Deno.removeSync(path);
      return bytes;
    },
  };
  try {
    for (const store of STORES) {
      for (const [what, damage] of Object.entries(ways)) {
        await t.step(`${store}: ${what}`, async () => {
          const path = `${dataDir}/${store}`;
          const good = await Deno.readFile(path);
          await Deno.writeFile(path, damage(good.slice()));
          const before = contentOf(dataDir);
          assertRefused(await serve(["--data-dir", dataDir]), {
            code: 1,
            says:
              /Cannot (use|open) ".*\.db": it is (damaged|not a Skerry store).*\nHint: (Move it away|Name another)/,
          });
          if (what !== "another program's") assert.deepEqual(contentOf(dataDir), before);
          await Deno.writeFile(path, good);
        });
      }
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a flipped bit in a record is noticed and said, and costs no other job", async (t) => {
  // What is asked for by itself is refused; a list goes on without it, and the log names what it leaves out.
  const damages: [what: string, find: string, command: string, named?: RegExp][] = [
    ["a job's state", "SELECT body FROM jobs", "describe"],
    ["a job's spec", "SELECT body FROM job_versions", "describe"],
    ["an execution", "SELECT body FROM executions", "executions", /execution e-/],
    ["an event", "SELECT body FROM ledger", "history", /event \d+ of job/],
  ];
  const dataDir = await usedFolder();
  try {
    for (const [what, find, command, named] of damages) {
      await t.step(what, async () => {
        const path = `${dataDir}/orchestrator/orchestrator.db`;
        const good = await Deno.readFile(path);
        flipBit(path, find);
        {
          await using node = await startNodeProcess({ dataDir });
          const { code, stderr } = await skerry(["job", command, "first"], {
            env: { SKERRY_API: node.url },
          });
          if (named === undefined) {
            assert.equal(code, 1, stderr);
            assert.match(
              stderr,
              /^Error: Cannot read a stored record: its checksum does not match its content\nHint: \S/,
            );
          } else {
            assert.equal(code, 0, stderr);
            const told = node.log().split("\n").filter((line) => line.includes("record is damaged"));
            assert.equal(told.length, 1, node.log());
            assert.match(told[0]!, named);
          }
          const other = await runTiny(node, "other");
          assert.equal(other.code, 0, other.stderr + node.log());
        }
        await Deno.writeFile(path, good);
      });
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

/** Changes one bit in the middle of the text that the query finds, in every place of the file where it stands. */
function flipBit(path: string, find: string): void {
  const database = new DatabaseSync(path);
  const { body } = database.prepare(`${find} LIMIT 1`).get() as { body: string };
  database.close();
  const wanted = new TextEncoder().encode(body).subarray(0, 40);
  const bytes = Deno.readFileSync(path);
  let flips = 0;
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (!wanted.every((byte, offset) => bytes[at + offset] === byte)) continue;
    bytes[at + 20]! ^= 1;
    flips++;
  }
  assert.ok(flips > 0, "the record was not found in the file");
  Deno.writeFileSync(path, bytes);
}

Deno.test("a node.json that names no node is refused", async (t) => {
  const dataDir = await usedFolder();
  try {
    for (const text of ["", "{", '{"nodeId":7}', '{"nodeId":"../../x"}', "\0".repeat(50)]) {
      await t.step(JSON.stringify(text.slice(0, 20)), async () => {
        await Deno.writeTextFile(`${dataDir}/node.json`, text);
        assertRefused(await serve(["--data-dir", dataDir]), {
          code: 1,
          says: /^Error: Cannot read ".*node\.json": it does not say which node this is\n/,
        });
        assert.equal(await Deno.readTextFile(`${dataDir}/node.json`), text);
      });
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("an address that cannot be listened on is refused before anything runs", async (t) => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const cases: [what: string, flags: string[], code: number, says: RegExp][] = [
    [
      "a port that is taken",
      ["--listen", `127.0.0.1:${port}`],
      4,
      /another program has this port\nHint: Stop that program, or/,
    ],
    [
      "an address of another machine",
      ["--listen", "192.0.2.1:0", "--insecure"],
      1,
      /this machine does not have the address/,
    ],
    [
      "a name of nobody",
      ["--listen", "nobody.invalid:0", "--insecure"],
      1,
      /Cannot listen on nobody\.invalid:0: /,
    ],
    [
      "beyond this machine",
      ["--listen", "0.0.0.0:0"],
      4,
      /whoever reaches this address could run jobs here\nHint: .*--insecure/,
    ],
    [
      "beyond this machine, over IPv6",
      ["--listen", "[::]:0"],
      4,
      /whoever reaches this address could run jobs/,
    ],
    [
      "no address",
      ["--listen", "here"],
      2,
      /Cannot use --listen: must be HOST:PORT.*current value is "here"/,
    ],
    ["a port beyond all", ["--listen", "127.0.0.1:65536"], 2, /must be HOST:PORT/],
  ];
  const dataDir = await Deno.makeTempDir();
  try {
    for (const [what, flags, code, says] of cases) {
      await t.step(what, async () => {
        const { stderr, ...failed } = await serve(["--data-dir", dataDir, ...flags]);
        assert.equal(failed.code, code, stderr);
        assert.match(stderr, says);
        assert.doesNotMatch(stderr, /\n\s+at |bug in Skerry/);
        assert.ok(![...contentOf(dataDir).keys()].some((path) => path.endsWith(".db")), "a store was made");
      });
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a setting that cannot be is refused with where it was written", async (t) => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.yaml`;
  const cases: [what: string, text: string, says: RegExp][] = [
    ["an unknown key", "data_dri: /tmp\n", /unknown key "data_dri"\nHint: Did you mean data_dir\?/],
    [
      "a bad value",
      "capacity_ratio: 300%\n",
      /Cannot use capacity_ratio in .*config\.yaml: must .*current value is "300%"/,
    ],
    [
      "an absurd amount",
      "memory: -5Gb\n",
      /memory in .*: must be an amount such as .*current value is "-5Gb"/,
    ],
    ["a list as a word", "listen: [1, 2]\n", /listen in .*: must be/],
    ["no YAML", "a: [\n", /Cannot read .*config\.yaml: /],
    ["no map", "- 1\n- 2\n", /must hold lines such as/],
    [
      "a log level that is none",
      "log_level: loud\n",
      /log_level in .*: must be .*debug.*current value is "loud"/,
    ],
  ];
  try {
    for (const [what, text, says] of cases) {
      await t.step(what, async () => {
        await Deno.writeTextFile(file, text);
        const { code, stderr } = await serve(["--data-dir", `${folder}/data`, "--config", file]);
        assert.equal(code, 2, stderr);
        assert.match(stderr, says);
        assert.doesNotMatch(stderr, /\n\s+at |bug in Skerry/);
      });
    }
    await t.step("a config file that is not there", async () => {
      const { code, stderr } = await serve(["--config", `${folder}/nowhere.yaml`]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /Cannot read .*nowhere\.yaml: there is no such file/);
    });
    await t.step("a bad value in the environment", async () => {
      const { code, stderr } = await serve(["--data-dir", `${folder}/data`], { SKERRY_CPU: "many" });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /Cannot use SKERRY_CPU: must be a number of cores.*current value is "many"/);
    });
    await t.step("an allowed path that is not there", async () => {
      const { code, stderr } = await serve(["--data-dir", `${folder}/data`, "--allow-path", ""]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /--allow-path/);
    });
    await t.step("a log file that cannot be written", async () => {
      const flags = ["--data-dir", `${folder}/data`, "--log-file", `${folder}/nowhere/log`];
      assertRefused(await serve(flags), { code: 1, says: /^Error: Cannot write the log file ".*": / });
    });
    await t.step("a mistyped flag", async () => {
      const { code, stderr } = await serve(["--data-dri", folder]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /--data-dir/);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
