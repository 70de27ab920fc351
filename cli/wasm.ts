/** `skerry wasm run` */
import { AppError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import { quote } from "../shared/spec/problems.ts";
import { type Call, defineCommand, type Noun } from "./command.ts";
import { reasonOf } from "./file_errors.ts";
import { list, text } from "./flags.ts";
import { parseInput, parseSource, type WireInput } from "./input_grammar.ts";
import { JOB_FLAGS, jobOf, withoutEmpty } from "./job_flags.ts";
import { FORMAT_FLAGS } from "./output.ts";
import { checkJob, RUN_FLAGS, runJob } from "./submit.ts";

const FLAGS = {
  ...JOB_FLAGS,
  importModules: list({
    placeholder: "MODULE",
    short: "I",
    summary: "Module to import, written like MODULE",
  }),
  entryPoint: text({ placeholder: "FUNCTION", summary: "Function to start (default: _start)" }),
  ...RUN_FLAGS,
  ...FORMAT_FLAGS,
};

type Flags = Call<typeof FLAGS>["flags"];

const RUN = defineCommand({
  name: "run",
  summary: "Run a WebAssembly (WASI) module as a job, and wait for its end",
  about:
    "MODULE is a file of this machine, the URI of a file that the node has (file:///srv/app.wasm), or the path of " +
    "an -i input. MODULE:PATH says where the task sees it. Arguments of the module follow after --.",
  operands: [
    { name: "MODULE", summary: "The module", completes: "file" },
    { name: "ARGS", summary: "Its arguments", isOptional: true, isRepeated: true },
  ],
  flags: FLAGS,
  examples: [
    {
      line: "skerry wasm run hello.wasm -- --name Ada",
      does: "Send a module from here and show what it prints",
    },
    {
      line: "skerry wasm run -i file:///srv/data:/inputs -o outputs:/outputs --count 4 sum.wasm",
      does: "Four partitions over a folder of the node, with results",
    },
    {
      line: "skerry wasm run --id-only --wait=false file:///srv/app.wasm",
      does: "A module that the node has, for scripts",
    },
  ],
  run,
});

/** `skerry wasm` */
export const WASM: Noun = { name: "wasm", summary: "Run WebAssembly modules as jobs", commands: [RUN] };

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { flags, settings } = call;
  const [module = "", ...parameters] = call.operands;
  const inputs = flags.input.map(parseInput);
  const entry = await resolveModule(module, { inputs, fallback: "/main.wasm" });
  const imports: Resolved[] = [];
  for (const written of flags.importModules) {
    const fallback = `/imports/${
      written.split(/[/:]/).filter((part) => part.endsWith(".wasm")).at(-1) ?? "module.wasm"
    }`;
    imports.push(await resolveModule(written, { inputs, fallback }));
  }
  const added = [entry, ...imports].flatMap(({ input }) => input ? [input] : []);
  const engine = engineOf(flags, { entry, imports, parameters });
  const wire = await jobOf(flags, { settings, engine, inputs: added });
  return await runJob(call, { wire, parsed: await checkJob(wire), output: flags.format });
}

interface Resolved {
  /** Where the task sees it. */
  readonly target: string;
  /** Absent when an `-i` input brings it. */
  readonly input?: WireInput;
}

interface ResolveOptions {
  readonly inputs: readonly WireInput[];
  readonly fallback: string;
}

/** A module: the target of an input, a URI, or a file that is sent along. */
async function resolveModule(written: string, { inputs, fallback }: ResolveOptions): Promise<Resolved> {
  if (
    inputs.some(({ Target }) => written === Target || written.startsWith(`${Target.replace(/\/$/, "")}/`))
  ) {
    return { target: written };
  }
  const { source, target = fallback } = splitTarget(written);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(source)) {
    return { target, input: { Source: parseSource(source), Alias: source, Target: target } };
  }
  const bytes = await readModule(source);
  const url = `data:application/wasm;base64,${toBase64(bytes)}`;
  return {
    target,
    input: { Source: { Type: "inline", Params: { URL: url } }, Alias: target, Target: target },
  };
}

/** `path:target`, where the target is absolute or looks like a module. */
function splitTarget(written: string): { source: string; target?: string } {
  const found = /^(.+?):((?:\/[^:]*)|(?:[^:/]+\.wasm))$/.exec(written);
  if (!found || found[2]!.startsWith("//")) return { source: written };
  return { source: found[1]!, target: found[2]!.startsWith("/") ? found[2]! : `/${found[2]}` };
}

/** What base64 leaves of a request's body, with room for the rest of the job. */
const SENT_BYTES_MAX = Math.floor((LIMITS.httpBodyBytes - LIMITS.specBytesMax) * 3 / 4);

async function readModule(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw new AppError("not_found", `Cannot read the module ${quote(path)}: ${reasonOf(error)}`, {
      hint:
        "Name a .wasm file of this machine, a URI such as file:///srv/app.wasm, or the path of an -i input",
      cause: error,
    });
  }
  const hint = "A module begins with \\0asm; compile for the target wasm32-wasi (preview 1)";
  if (bytes.length < 8 || bytes[0] !== 0 || bytes[1] !== 0x61 || bytes[2] !== 0x73 || bytes[3] !== 0x6d) {
    throw new AppError("bad_request", `Cannot use the module ${quote(path)}: it is no WebAssembly`, { hint });
  }
  if (bytes.length > SENT_BYTES_MAX) {
    const must =
      `it must have at most ${SENT_BYTES_MAX} bytes to be sent with its job, and has ${bytes.length}`;
    throw new AppError("too_large", `Cannot send the module ${quote(path)}: ${must}`, {
      hint:
        "Put it into a folder that its nodes allow (`skerry serve --allow-path`), and name it as file:///FOLDER/MODULE",
    });
  }
  return bytes;
}

function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  // A multiple of three, so that the parts join without padding.
  const step = 0x6000;
  for (let at = 0; at < bytes.length; at += step) {
    parts.push(btoa(String.fromCharCode(...bytes.subarray(at, at + step))));
  }
  return parts.join("");
}

function engineOf(
  flags: Flags,
  { entry, imports, parameters }: {
    entry: Resolved;
    imports: readonly Resolved[];
    parameters: readonly string[];
  },
) {
  const params = withoutEmpty({
    EntryModule: entry.target,
    Entrypoint: flags.entryPoint,
    Parameters: parameters.length ? parameters : undefined,
    ImportModules: imports.length ? imports.map(({ target }) => target) : undefined,
  });
  return { Type: "wasm", Params: params };
}
