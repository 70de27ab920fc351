/** The example's module is what its source says: it builds to the same bytes, in another folder. */
import assert from "node:assert/strict";

const EXAMPLE = new URL("../../examples/sea_breeze/", import.meta.url);
/** What `build.sh` names: other versions may well make other bytes. */
const CLANG_VERSION = "14.0.6";
const WASI_LIBC_VERSION = "0.0~git20220510.9886d3d";
const PACKAGES = ["clang", "lld", "wasi-libc", "libclang-rt-14-dev-wasm32"];

Deno.test("the sea breeze module rebuilds to the same bytes", async () => {
  const missing = await findMissing() && (await install(), await findMissing());
  if (missing) {
    const reason = `cannot rebuild the module: ${missing}`;
    assert.ok(!Deno.env.has("CI"), reason);
    console.log(reason);
    return;
  }
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["sea_breeze.c", "build.sh"]) {
      await Deno.copyFile(new URL(name, EXAMPLE), `${folder}/${name}`);
    }
    await run("sh", [`${folder}/build.sh`, `${folder}/rebuilt.wasm`]);
    assert.deepEqual(
      await Deno.readFile(`${folder}/rebuilt.wasm`),
      await Deno.readFile(new URL("sea_breeze.wasm", EXAMPLE)),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the observations are those whose digests are recorded", async () => {
  const sums = await Deno.readTextFile(new URL("data/SHA256SUMS", EXAMPLE));
  const lines = sums.trimEnd().split("\n");
  assert.equal(lines.length, 12);
  for (const line of lines) {
    const [digest, name] = line.split("  ");
    const bytes = await Deno.readFile(new URL(`data/${name}`, EXAMPLE));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    assert.equal([...hash].map((byte) => byte.toString(16).padStart(2, "0")).join(""), digest, name);
  }
});

/** What stands in the way of a build with the recorded versions, if anything. */
async function findMissing(): Promise<string | undefined> {
  const clang = await run("clang", ["--version"]).catch(() => "");
  if (!clang.includes(CLANG_VERSION)) return `it takes clang ${CLANG_VERSION}`;
  const library = await run("dpkg-query", ["-W", "-f", "${Version}", "wasi-libc"]).catch(() => "");
  if (!library.startsWith(WASI_LIBC_VERSION)) return `it takes wasi-libc ${WASI_LIBC_VERSION}`;
}

/** Gets the compiler where that is allowed: as root on Debian. */
async function install(): Promise<void> {
  if (Deno.uid() !== 0) return;
  const apt = (args: string[]) => run("apt-get", args, { DEBIAN_FRONTEND: "noninteractive" });
  await apt(["update"]).catch(() => {});
  await apt(["install", "-y", "--no-install-recommends", ...PACKAGES]).catch(() => {});
}

async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
