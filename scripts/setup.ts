/**
 * Gets what tests need beyond Deno, each thing once, from package registries: `deno run -A scripts/setup.ts` gets all
 * of it. A test that needs one of them calls its function, which is quick when it is there already.
 *
 * Things are kept in $SKERRY_TOOLS_CACHE, by default ${XDG_CACHE_HOME:-$HOME/.cache}/skerry/tools.
 */
import { exists } from "../shared/disk.ts";

const BACALHAU = "1.9.3";

/** Something that tests need cannot be had here; the message says what to install. */
export class SetupError extends Error {
  override name = "SetupError";
}

interface Ran {
  readonly isOk: boolean;
  readonly text: string;
  readonly errorText: string;
}

async function run(command: string, args: string[], options: Deno.CommandOptions = {}): Promise<Ran> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args, ...options }).output();
    const decoder = new TextDecoder();
    return { isOk: success, text: decoder.decode(stdout), errorText: decoder.decode(stderr).trim() };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return { isOk: false, text: "", errorText: `${command} is not here` };
    }
    throw error;
  }
}

const say = (text: string): void => console.error(`setup: ${text}`);

function cacheFolder(): string {
  const { SKERRY_TOOLS_CACHE, XDG_CACHE_HOME, HOME } = Deno.env.toObject();
  return SKERRY_TOOLS_CACHE || `${XDG_CACHE_HOME || `${HOME || "/tmp"}/.cache`}/skerry/tools`;
}

/**
 * The path of an unmodified Bacalhau command line: the file that BACALHAU_BIN names, the cached one, or one built from
 * the Go module, which takes Go and a few minutes.
 */
export async function bacalhauClient(): Promise<string> {
  const given = Deno.env.get("BACALHAU_BIN");
  if (given) return given;
  const cached = `${cacheFolder()}/bacalhau-${BACALHAU}`;
  if (await exists(cached)) return cached;
  say(`building the Bacalhau ${BACALHAU} command line (a few minutes, once)`);
  await Deno.mkdir(cacheFolder(), { recursive: true });
  const work = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "build-" });
  try {
    const module = "github.com/bacalhau-project/bacalhau";
    const found = await run("go", ["mod", "download", "-json", `${module}@v${BACALHAU}`], { cwd: work });
    if (!found.isOk) {
      throw new SetupError(`Cannot get the Go module of Bacalhau: ${found.errorText || found.text}`);
    }
    const { Dir: source } = JSON.parse(found.text) as { Dir: string };
    // the module cache is read-only, and a build may want to write its go.sum
    const copied = await run("cp", ["-R", source, `${work}/source`]);
    if (!copied.isOk) throw new SetupError(`Cannot copy "${source}": ${copied.errorText}`);
    await run("chmod", ["-R", "u+w", `${work}/source`]);
    const built = await run(
      "go",
      [
        "build",
        "-o",
        `${work}/bacalhau`,
        "-ldflags",
        `-X ${module}/pkg/version.GITVERSION=v${BACALHAU}`,
        ".",
      ],
      { cwd: `${work}/source`, env: { GOFLAGS: "-mod=mod", GOWORK: "off" } },
    );
    if (!built.isOk) throw new SetupError(`Cannot build Bacalhau: ${built.errorText}`);
    await Deno.rename(`${work}/bacalhau`, cached);
    return cached;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

const WASI_PROGRAM = '#include <stdio.h>\nint main(void) { puts("x"); return 0; }\n';

/** Whether a WASI program can be built here; the compiler's complaint when not. */
async function wasiComplaint(): Promise<string | undefined> {
  const work = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${work}/x.c`, WASI_PROGRAM);
    const built = await run("clang", ["--target=wasm32-wasi", "-O2", "-o", `${work}/x.wasm`, `${work}/x.c`]);
    return built.isOk ? undefined : built.errorText;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Makes sure that `clang --target=wasm32-wasi` works; as root on Debian it installs what is missing. */
export async function wasiCompiler(): Promise<void> {
  if (await wasiComplaint() === undefined) return;
  if (Deno.uid() === 0 && (await run("apt-get", ["--version"])).isOk) {
    say("installing clang, lld and wasi-libc");
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const install = (...names: string[]) =>
      run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], { env });
    await run("apt-get", ["update", "-qq"], { env });
    await install("clang", "lld", "wasi-libc");
    const major = /version (\d+)/.exec((await run("clang", ["--version"])).text)?.[1];
    await install(`libclang-rt-${major}-dev-wasm32`);
  }
  const complaint = await wasiComplaint();
  if (complaint === undefined) return;
  throw new SetupError(
    `Cannot build WASI programs: install clang, lld, wasi-libc and libclang-rt for wasm32 (${complaint})`,
  );
}

/** Makes sure that `dockerd`, its helpers and a static busybox are here; as root on Debian it installs what is missing. */
export async function dockerEngine(): Promise<void> {
  const isHere = async () =>
    (await run("dockerd", ["--version"])).isOk && (await run("runc", ["--version"])).isOk &&
    (await run("iptables", ["--version"])).isOk && await isStatic("/bin/busybox");
  if (await isHere()) return;
  if (Deno.uid() === 0 && (await run("apt-get", ["--version"])).isOk) {
    say("installing docker.io, iptables and busybox-static");
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update", "-qq"], { env });
    const packages = ["docker.io", "iptables", "busybox-static"];
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env });
  }
  if (await isHere()) return;
  throw new SetupError(
    "Cannot run containers: install docker.io, runc, iptables and busybox-static, and be root",
  );
}

/** A busybox that needs libraries does not run in an image of its own. */
async function isStatic(path: string): Promise<boolean> {
  return await exists(path) && !(await run("ldd", [path])).isOk;
}

/** Makes sure that `deno compile` works here: it needs its base from Deno's own site, or DENORT_BIN. */
export async function compileBase(): Promise<void> {
  const work = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${work}/x.ts`, "console.log(1);\n");
    const deno = Deno.env.get("DENO_COMPILE_BIN") ?? Deno.execPath();
    const made = await run(deno, [
      "compile",
      "--quiet",
      "--no-config",
      "--output",
      `${work}/x`,
      `${work}/x.ts`,
    ]);
    if (!made.isOk) {
      throw new SetupError(`Cannot compile: set DENORT_BIN, and DENO_COMPILE_BIN (${made.errorText})`);
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

if (import.meta.main) {
  console.log(await bacalhauClient());
  await wasiCompiler();
  await dockerEngine();
  await compileBase();
}
