/** `denow` against sources that are made here: its PATH holds only what each test puts there. */
import { equal, match, ok } from "node:assert/strict";
import { createHash } from "node:crypto";

const DENOW = new URL("./denow", import.meta.url).pathname;
const VERSION = /^VERSION=(.+)$/m.exec(await Deno.readTextFile(DENOW))?.[1] ?? "";

/** Stands for Deno: tells its version, then its arguments and what its children would find. */
const FAKE_DENO = `#!/bin/sh
if [ "$1" = --version ]; then echo "deno ${VERSION} (fake)"; exit; fi
echo "ran: $*; deno is $(command -v deno); store $DENO_TLS_CA_STORE"
`;

/** What denow may use, apart from sources and Deno. */
const TOOLS =
  "sh sed tar gzip sha256sum shasum uname mkdir mv rm cat date sleep dirname chmod cut sort tail mktemp env cp";

const NPM = `#!/bin/sh
echo "npm $*" >> "$FAKES/calls"
case "$*" in *view*) exit 0 ;; esac
mkdir package && cp "$FAKES/deno" package/deno && tar -czf fake.tgz package
`;
const PIP = `#!/bin/sh
echo "pip $*" >> "$FAKES/calls"
mkdir -p w/deno w/deno-${VERSION}.data/scripts && cp "$FAKES/deno" w/deno-${VERSION}.data/scripts/deno
cd w && tar -cf ../deno-${VERSION}.whl deno deno-${VERSION}.data
`;
/** The fake wheel is a tar file: not every machine can make a zip file. */
const UNZIP = `#!/bin/sh
exec tar -xf "$3"
`;
const FAILING = `#!/bin/sh
echo "$0 $*" >> "$FAKES/calls"
echo "registry unreachable" >&2
exit 1
`;
const HANGING = `#!/bin/sh
echo "$0 $*" >> "$FAKES/calls"
exec sleep 60
`;

interface Ran {
  readonly code: number;
  readonly text: string;
  readonly errorText: string;
}

/** A folder of its own with a copy of denow that knows the fake's checksum, a PATH of chosen programs, and a home. */
class Place implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(
    programs: Readonly<Record<string, string>>,
    options: { connectSeconds?: number } = {},
  ): Promise<Place> {
    const place = new Place(await Deno.realPath(await Deno.makeTempDir({ prefix: "denow test " })));
    for (const it of ["bin", "home", "clone/scripts"]) {
      await Deno.mkdir(`${place.folder}/${it}`, { recursive: true });
    }
    await place.write("deno", FAKE_DENO);
    for (const [name, text] of Object.entries({ unzip: UNZIP, ...programs })) {
      await place.write(`bin/${name}`, text);
    }
    for (const it of TOOLS.split(" ")) {
      const found = (Deno.env.get("PATH") ?? "").split(":").map((folder) => `${folder}/${it}`).find(isFile);
      if (found) await Deno.symlink(found, `${place.folder}/bin/${it}`);
    }
    const sha256 = createHash("sha256").update(FAKE_DENO).digest("hex");
    const text = (await Deno.readTextFile(DENOW)).replace(/^(SHA256_\w+)=.*$/gm, `$1=${sha256}`)
      .replace(/^CONNECT_SECONDS=\d+/m, `CONNECT_SECONDS=${options.connectSeconds ?? 10}`);
    await place.write("clone/scripts/denow", text);
    return place;
  }

  async write(path: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.folder}/${path}`, text, { mode: 0o755 });
  }

  async denow(args: string[], env: Record<string, string> = {}): Promise<Ran> {
    const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: [`${this.folder}/clone/scripts/denow`, ...args],
      cwd: this.folder,
      clearEnv: true,
      env: { PATH: `${this.folder}/bin`, HOME: `${this.folder}/home`, FAKES: this.folder, ...env },
    }).output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout), errorText: decoder.decode(stderr) };
  }

  /** Which sources were asked, in order. */
  async calls(): Promise<string> {
    const text = await Deno.readTextFile(`${this.folder}/calls`).catch(() => "");
    return text.trim().split("\n").filter((it) => it !== "").map((it) =>
      /(npm|pip)\S* .*?\b(view|pack|download)\b/.exec(it)?.slice(1).join(" ")
    )
      .join(", ");
  }

  get cached(): string {
    return `${this.folder}/home/.cache/skerry/deno/${VERSION}/deno`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The cache holds the executable and nothing else: no half of a download. */
function assertClean(place: Place, expected: readonly string[]): void {
  const names = [...Deno.readDirSync(`${place.folder}/home/.cache/skerry/deno/${VERSION}`)].map((it) =>
    it.name
  );
  equal(names.join(), expected.join());
}

Deno.test("denow gets Deno from npm once, keeps it, and hands on arguments and settings", async () => {
  await using place = await Place.make({ npm: NPM });
  const first = await place.denow(["task", "a b"]);
  equal(first.text, `ran: task a b; deno is ${place.cached}; store system,mozilla\n`, first.errorText);
  match(first.errorText, /getting Deno .* from npm/);
  assertClean(place, ["deno"]);
  const second = await place.denow(["x"], { DENO_TLS_CA_STORE: "mine" });
  equal(second.text, `ran: x; deno is ${place.cached}; store mine\n`);
  equal(second.errorText, "");
  equal(await place.calls(), "npm view, npm pack");
});

Deno.test("denow refuses a download whose checksum is wrong, and runs nothing", async () => {
  await using place = await Place.make({ npm: NPM, pip3: PIP });
  await place.write("deno", FAKE_DENO.replace("ran:", "evil:"));
  const { code, text, errorText } = await place.denow(["x"]);
  equal(code, 1);
  equal(text, "");
  match(errorText, /refused what npm gave: its SHA-256 is \w{64} and must be \w{64}/);
  match(errorText, /refused what pypi gave/);
  match(errorText, /hint: install Deno/);
  assertClean(place, []);
});

Deno.test("denow goes on to PyPI when npm is missing or fails", async () => {
  const both: Record<string, string>[] = [{ pip3: PIP }, { npm: FAILING, pip3: PIP }];
  for (const programs of both) {
    await using place = await Place.make(programs);
    const { code, text, errorText } = await place.denow(["x"]);
    equal(code, 0, errorText);
    match(text, /^ran: x;/);
    match(errorText, /npm did not give it\n.*from pypi/);
    assertClean(place, ["deno"]);
  }
});

Deno.test("denow goes on when a source does not answer", async () => {
  await using place = await Place.make({ npm: HANGING, pip3: PIP }, { connectSeconds: 1 });
  const startedAtMs = performance.now();
  const { code, errorText } = await place.denow(["x"]);
  equal(code, 0, errorText);
  match(errorText, /no answer in time\ndenow: npm did not give it/);
  ok(performance.now() - startedAtMs < 20_000);
});

Deno.test("denow takes sources in the order that it is told", async () => {
  await using place = await Place.make({ npm: NPM, pip3: PIP });
  equal((await place.denow(["x"], { SKERRY_DENO_SOURCES: "pypi npm" })).code, 0);
  equal(await place.calls(), "pip download");
});

Deno.test("denow takes the pinned version from the PATH, and a newer one only when nothing else is to be had", async () => {
  const deno = (version: string) => FAKE_DENO.replace(VERSION, version);
  const [major = "", minor = ""] = VERSION.split(".");
  const newer = `${major}.${Number(minor) + 10}.0`;
  {
    await using place = await Place.make({ npm: NPM, deno: deno(VERSION) });
    match((await place.denow(["x"])).text, /deno is .*\/bin\/deno/);
    equal(await place.calls(), "");
  }
  {
    await using place = await Place.make({ npm: NPM, deno: deno(newer) });
    match((await place.denow(["x"])).text, /deno is .*\/home\//);
  }
  {
    await using place = await Place.make({ deno: deno(newer) });
    const { text, errorText } = await place.denow(["x"]);
    match(text, /deno is .*\/bin\/deno/);
    match(errorText, /so the newer \S+ on the PATH is used/);
  }
  for (const old of [`${major}.${Number(minor) - 1}.99`, `${Number(major) + 1}.0.0`]) {
    await using place = await Place.make({ deno: deno(old) });
    equal((await place.denow(["x"])).code, 1, old);
  }
});

Deno.test("denow runs what SKERRY_DENO names, and puts its cache where it is told", async () => {
  await using place = await Place.make({ npm: NPM });
  match((await place.denow(["x"], { SKERRY_DENO: `${place.folder}/deno` })).text, /^ran: x;/);
  equal(await place.calls(), "");
  const elsewhere = { SKERRY_DENO_CACHE: `${place.folder}/else where` };
  match((await place.denow(["x"], elsewhere)).text, /deno is .*\/else where\//);
});

Deno.test("denow works without a home folder", async () => {
  await using place = await Place.make({ npm: NPM });
  const { text, errorText } = await place.denow(["x"], { HOME: "" });
  match(text, /deno is .*\/clone\/\.cache\//, errorText);
});

Deno.test("denow runs that start at the same time all get a whole executable", async () => {
  await using place = await Place.make({ npm: NPM });
  const all = await Promise.all(Array.from({ length: 6 }, (_, at) => place.denow([`run ${at}`])));
  all.forEach(({ text, errorText }, at) => match(text, new RegExp(`^ran: run ${at};`), errorText));
  assertClean(place, ["deno"]);
});
