import assert from "node:assert/strict";
import { AppError } from "../shared/errors.ts";
import { openSettings, resolveServe, type SettingFlags } from "./config.ts";
import { removeConfigKey, writeConfigKey } from "./config_file.ts";
import { findKey } from "./settings.ts";

const FILE_TEXT = "# mine\nlisten: 127.0.0.1:7000 # here\ncpu: 3\nlabels: { site: pier, arch: arm }\n";

async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, text);
    await use(`${folder}/config.yaml`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const open = (path: string, flags: SettingFlags = {}) => openSettings({ path, flags });
const refuses = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof AppError && error.code === code && message.test(`${error.message} ${error.hint}`);

Deno.test("flags beat the environment, which beats the file, which beats the default", () =>
  withFile(FILE_TEXT, async (path) => {
    const shown = async (flags: SettingFlags = {}) => {
      const { text, source } = await open(path, flags).show("listen");
      return [text, source];
    };
    assert.deepEqual(await shown(), ["127.0.0.1:7000", "file"]);
    Deno.env.set("SKERRY_LISTEN", "127.0.0.1:7001");
    try {
      assert.deepEqual(await shown(), ["127.0.0.1:7001", "environment"]);
      assert.deepEqual(await shown({ listen: ["127.0.0.1:7002"] }), ["127.0.0.1:7002", "flag"]);
    } finally {
      Deno.env.delete("SKERRY_LISTEN");
    }
    assert.deepEqual(await open(path).show("log_level"), {
      key: "log_level",
      text: "info",
      source: "default",
      summary: "Least important lines that the server logs",
    });
  }));

Deno.test("DOCKER_HOST is shown as the source of what it decides, and a folder has a name", () =>
  withFile(FILE_TEXT, async (path) => {
    const before = Deno.env.get("DOCKER_HOST");
    Deno.env.set("DOCKER_HOST", "unix:///run/other.sock");
    try {
      const { text, source } = await open(path).show("docker_socket");
      assert.deepEqual([text, source], ["unix:///run/other.sock", "environment"]);
    } finally {
      if (before === undefined) Deno.env.delete("DOCKER_HOST");
      else Deno.env.set("DOCKER_HOST", before);
    }
    await assert.rejects(
      () => resolveServe(open(path, { data_dir: [""] })),
      refuses("config", /Cannot use --data-dir: must be a folder/),
    );
  }));

Deno.test("resolveServe() gives typed values of every source", () =>
  withFile(FILE_TEXT, async (path) => {
    const config = await resolveServe(
      open(path, {
        data_dir: ["/srv/x"],
        allow_path: ["/a", "/b:rw"],
        allow_env: ["HOME", "AWS_*,TZ"],
        memory: ["1GiB"],
      }),
    );
    assert.equal(config.dataDir, "/srv/x");
    assert.deepEqual(config.listen, { host: "127.0.0.1", port: 7000 });
    assert.equal(config.cpuMillis, 3000);
    assert.equal(config.memoryBytes, 1024 ** 3);
    assert.deepEqual(config.labels, { site: "pier", arch: "arm" });
    assert.deepEqual(config.allowEnv, ["HOME", "AWS_*", "TZ"]);
    assert.deepEqual(config.allowPaths, [{ path: "/a", isWritable: false }, {
      path: "/b",
      isWritable: true,
    }]);
    assert.equal(config.capacityRatio, 0.8);
    assert.equal(config.name, undefined);
  }));

Deno.test("a server beyond loopback is refused unless it is told to be insecure", () =>
  withFile("", async (path) => {
    for (
      const listen of [
        "0.0.0.0:1234",
        "192.168.1.2:1234",
        "[::]:1234",
        "hub.example:80",
        "127.0.0.1.evil.example:80",
      ]
    ) {
      await assert.rejects(
        resolveServe(open(path, { listen: [listen] })),
        refuses("forbidden", /--insecure/),
        listen,
      );
      await resolveServe(open(path, { listen: [listen], insecure: ["true"] }));
    }
    for (const listen of ["127.0.0.1:0", "127.9.9.9:2", "[::1]:1234", "localhost:1234", "1234"]) {
      await resolveServe(open(path, { listen: [listen] }));
    }
  }));

Deno.test("a value that cannot be used names its place, what it must be and what it is", () =>
  withFile("cpu: many\n", async (path) => {
    await assert.rejects(
      open(path).get("cpu"),
      refuses("config", /cpu in .*config.yaml: must be .*current value is "many"/),
    );
    await assert.rejects(
      open(path, { listen: ["x:99999"] }).get("listen"),
      refuses("config", /--listen: must be HOST:PORT/),
    );
    for (const [key, text] of [["listen", "127.0.0.1:6000"], ["api", "http://127.0.0.1:6000"]] as const) {
      await assert.rejects(
        open(path, { [key]: [text] }).get(key),
        refuses("config", /must have another port: browsers and this program refuse to talk to 6000/),
      );
    }
    await assert.rejects(
      open(path, { api: ["ftp://x"] }).get("api"),
      refuses("config", /--api: must be an address/),
    );
  }));

Deno.test("an unknown key in the file is named, with the one that was meant", () =>
  withFile("lisen: 127.0.0.1:1\n", async (path) => {
    await assert.rejects(
      open(path).get("listen"),
      refuses("config", /unknown key "lisen".*Did you mean listen/),
    );
  }));

Deno.test("a file that is no YAML or no map is refused by its path", async () => {
  await withFile(
    "a: [",
    (path) => assert.rejects(open(path).get("cpu"), refuses("config", /Cannot read .*config.yaml/)),
  );
  await withFile(
    "- a",
    (path) => assert.rejects(open(path).get("cpu"), refuses("config", /must hold lines such as/)),
  );
  await assert.rejects(open("/nowhere/config.yaml").get("cpu"), refuses("config", /there is no such file/));
});

Deno.test("writeConfigKey() changes one key and keeps comments and the rest", () =>
  withFile(FILE_TEXT, async (path) => {
    await writeConfigKey(path, { key: "cpu", text: "500m" });
    await writeConfigKey(path, { key: "allow_path", text: "/a,/b:rw" });
    await writeConfigKey(path, { key: "insecure", text: "true" });
    const text = await Deno.readTextFile(path);
    assert.ok(text.startsWith("# mine\nlisten: 127.0.0.1:7000 # here\ncpu: 500m\n"), text);
    const config = await resolveServe(open(path));
    assert.deepEqual([config.cpuMillis, config.isInsecure, config.allowPaths.length], [500, true, 2]);
  }));

Deno.test("removeConfigKey() takes one key out, however it is spelled, and keeps comments and the rest", () =>
  withFile(`${FILE_TEXT}log-level: debug\n`, async (path) => {
    assert.equal(await removeConfigKey(path, "log_level"), true);
    assert.equal(await Deno.readTextFile(path), FILE_TEXT);
    assert.equal(await removeConfigKey(path, "log_level"), false);
    assert.equal(await removeConfigKey(`${path}.nowhere`, "cpu"), false);
    assert.equal((await open(path).show("log_level")).source, "default");
  }));

Deno.test("writeConfigKey() changes a key in the file's own spelling", () =>
  withFile("log-level: debug\n", async (path) => {
    await writeConfigKey(path, { key: "log_level", text: "warn" });
    assert.equal(await Deno.readTextFile(path), "log-level: warn\n");
  }));

Deno.test("findKey() knows other spellings, and guesses what was meant", () => {
  for (const written of ["data_dir", "data-dir", "dataDir", "SKERRY_DATA_DIR", "Data-Dir"]) {
    assert.equal(findKey(written), "data_dir");
  }
  assert.throws(() => findKey("dta_dir"), refuses("not_found", /Did you mean data_dir/));
  assert.throws(() => findKey("zzz"), refuses("not_found", /config list/));
});
