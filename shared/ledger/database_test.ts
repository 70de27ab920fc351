import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { AppError } from "../errors.ts";
import { encodeBody, parseBody } from "./body.ts";
import { Database } from "./database.ts";

const OPTIONS = { migrations: ["CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT) STRICT"], applicationId: 7 };
const hasCode = (code: string) => (error: unknown) =>
  error instanceof AppError && error.code === code && !!error.hint;

function withFile(body: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    body(`${folder}/x.db`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a transaction commits as a whole or not at all, and after-commit work follows only a commit", () => {
  using database = Database.open({ path: ":memory:", ...OPTIONS });
  const calls: string[] = [];
  database.transaction(() => {
    database.run("INSERT INTO t (b) VALUES ('x')");
    database.afterCommit(() => calls.push("first"));
  });
  assert.throws(() =>
    database.transaction(() => {
      database.run("INSERT INTO t (b) VALUES ('y')");
      database.afterCommit(() => calls.push("second"));
      throw new Error("on purpose");
    }), /on purpose/);
  assert.deepEqual(calls, ["first"]);
  assert.equal(database.get("SELECT count(*) AS n FROM t")?.n, 1);
});

Deno.test("transactions of a group share one commit; one that fails takes back its own changes only", () => {
  using database = Database.open({ path: ":memory:", ...OPTIONS });
  const calls: string[] = [];
  let commits = 0;
  database.beforeEachCommit(() => commits++);
  const insert = (what: string, error?: Error) =>
    database.transaction(() => {
      database.run("INSERT INTO t (b) VALUES (?)", what);
      database.afterCommit(() => calls.push(what));
      if (error !== undefined) throw error;
    }, { onFailed: () => calls.push(`${what} failed`) });
  const rows = () => database.all("SELECT b FROM t ORDER BY b").map(({ b }) => b);
  database.group(() => {
    assert.throws(() => insert("first", new Error("on purpose")), /on purpose/);
    insert("second");
    assert.throws(() => insert("third", new Error("on purpose")), /on purpose/);
    insert("fourth");
    assert.deepEqual(calls, ["first failed", "third failed"]);
  });
  assert.deepEqual([rows(), calls.slice(2), commits], [["fourth", "second"], ["second", "fourth"], 1]);
  database.group(() => {});
  assert.equal(commits, 1);
});

Deno.test("a group whose commit fails keeps nothing, and each of its transactions is told", () => {
  using database = Database.open({ path: ":memory:", ...OPTIONS });
  const calls: string[] = [];
  let isFull = true;
  database.beforeEachCommit(() => {
    if (isFull) throw new Error("full");
  });
  const insert = (what: string) =>
    database.transaction(() => {
      database.run("INSERT INTO t (b) VALUES (?)", what);
      database.afterCommit(() => calls.push(what));
    }, { onFailed: () => calls.push(`${what} failed`) });
  const both = () =>
    database.group(() => {
      insert("first");
      insert("second");
    });
  assert.throws(both, /full/);
  assert.deepEqual(calls.splice(0), ["first failed", "second failed"]);
  assert.equal(database.get("SELECT count(*) AS n FROM t")?.n, 0);
  isFull = false;
  both();
  assert.deepEqual(calls, ["first", "second"]);
});

Deno.test("a write outside a transaction, or one inside another, is a bug", () => {
  using database = Database.open({ path: ":memory:", ...OPTIONS });
  assert.throws(() => database.run("INSERT INTO t (b) VALUES ('x')"), /needs a transaction/);
  assert.throws(() => database.transaction(() => database.transaction(() => {})), /does not nest/);
});

Deno.test("migrations run once, in order, also on a store of an older version", () =>
  withFile((path) => {
    Database.open({ path, ...OPTIONS }).close();
    const newer = [...OPTIONS.migrations, "ALTER TABLE t ADD COLUMN c TEXT"];
    using database = Database.open({ path, ...OPTIONS, migrations: newer });
    assert.equal(database.get("SELECT count(c) AS n FROM t")?.n, 0);
  }));

Deno.test("a store of a newer version is refused, with what to do", () =>
  withFile((path) => {
    Database.open({ path, ...OPTIONS }).close();
    const sqlite = new DatabaseSync(path);
    sqlite.exec("PRAGMA user_version = 9");
    sqlite.close();
    assert.throws(() => Database.open({ path, ...OPTIONS }), (error: AppError) =>
      error.code === "store" && error.message.includes("current format is 9") &&
      /newer Skerry/.test(error.hint ?? ""));
  }));

Deno.test("a file of another kind, a damaged file and a folder without rights are refused", () =>
  withFile((path) => {
    Database.open({ path, ...OPTIONS }).close();
    assert.throws(() => Database.open({ path, ...OPTIONS, applicationId: 8 }), hasCode("store"));
    Deno.writeFileSync(path, crypto.getRandomValues(new Uint8Array(4096)));
    assert.throws(() => Database.open({ path, ...OPTIONS }), hasCode("store"));
    assert.throws(() => Database.open({ path: `${path}/nowhere/x.db`, ...OPTIONS }), hasCode("store"));
  }));

Deno.test("a check refuses what opening would, and changes neither what is fine nor what is not", () =>
  withFile((path) => {
    Database.check({ path, ...OPTIONS });
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
    Database.open({ path, ...OPTIONS }).close();
    const before = Deno.readFileSync(path);
    Database.check({ path, ...OPTIONS, migrations: [...OPTIONS.migrations, "CREATE TABLE u (a)"] });
    assert.throws(() => Database.check({ path, ...OPTIONS, migrations: [] }), hasCode("store"));
    assert.throws(() => Database.check({ path, ...OPTIONS, applicationId: 8 }), hasCode("store"));
    assert.throws(
      () => Database.check({ path, ...OPTIONS }, (database) => void database.get("SELECT * FROM nowhere")),
      /no such table/,
    );
    assert.deepEqual(Deno.readFileSync(path), before);
    {
      using _open = Database.open({ path, ...OPTIONS });
      assert.throws(() => Database.check({ path, ...OPTIONS }), hasCode("in_use"));
    }
    Deno.writeFileSync(path, crypto.getRandomValues(new Uint8Array(4096)));
    assert.throws(() => Database.check({ path, ...OPTIONS }), hasCode("store"));
  }));

Deno.test("a store has one process at a time", () =>
  withFile((path) => {
    using _first = Database.open({ path, ...OPTIONS });
    assert.throws(() => Database.open({ path, ...OPTIONS }), hasCode("in_use"));
  }));

Deno.test("a flipped bit in a body is seen", () => {
  const Shape = z.object({ name: z.string() });
  const body = encodeBody({ name: "etl" });
  assert.deepEqual(parseBody(Shape, body), { name: "etl" });
  assert.throws(() => parseBody(Shape, body.replace("etl", "etm")), hasCode("store"));
  assert.throws(() => parseBody(Shape, encodeBody({ name: 3 })), hasCode("store"));
  assert.throws(() => parseBody(Shape, null), hasCode("store"));
});
