/**
 * The layer rules as a pure check: which file may import which, and what files may be called. See section "Layout" of
 * ARCHITECTURE.md. `check.ts` runs it over the repository.
 */

/** One import, both ends as paths from the root of the repository. */
export interface Import {
  readonly from: string;
  /** A path in the repository, or a bare specifier such as `node:fs` or `zod`. */
  readonly to: string;
  readonly isLazy: boolean;
}

/** Something that breaks a rule. */
export interface Problem {
  readonly path: string;
  readonly rule: string;
}

const PROGRAMS = ["shared", "orchestrator", "agent", "cli"];

/** Folders of a program in the order of their layers; those in one row are side by side. */
const LAYERS: readonly (readonly string[])[] = [
  ["core"],
  ["store"],
  ["flow"],
  ["http", "ui", "engines", "inputs", "publishers", "host"],
];

/** Ports: interfaces that lie in a door's folder, so that any layer above core may name them. */
const PORTS: ReadonlySet<string> = new Set([
  "agent/engines/engine.ts",
  "agent/inputs/input.ts",
  "agent/publishers/publisher.ts",
  "agent/host/host.ts",
  "shared/bus/bus.ts",
  // The form of an execution's files: engines write it, the host's folders read it.
  "agent/engines/log_files.ts",
]);

/** Composes a whole node; loaded lazily, by the command that runs one. */
const COMPOSER = "cli/serve.ts";

/** Folders whose files, but for the port, are adapters: chosen in a `main.ts`. */
const ADAPTER_FOLDERS = ["agent/engines", "agent/inputs", "agent/publishers", "agent/host", "shared/bus"];

const BANNED_STEMS =
  /^(.*_)?(utils?|types|helpers?|constants|common|misc|index|managers?|services?|handlers?|data|info)$/;
const BARE_WORKER = /^workers?$/;
const BANNED_LAST_WORD = /((Manager|Service|Handler|Helper|Utils?)|^[A-Z].*(Data|Info)|^(data|info))$/;

const isTest = (path: string): boolean => path.endsWith("_test.ts");
const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));
const programOf = (path: string): string => path.split("/")[0] ?? "";
const layerOf = (path: string): number => {
  const parts = path.split("/");
  return parts.length < 3 ? -1 : LAYERS.findIndex((row) => row.includes(parts[1] ?? ""));
};
const isBareShared = (path: string): boolean => /^shared\/[^/]+\.ts$/.test(path);
const isModel = (path: string): boolean => path.startsWith("shared/model/");
const isAdapter = (path: string): boolean => ADAPTER_FOLDERS.includes(folderOf(path)) && !PORTS.has(path);

interface LayerRule {
  readonly rule: string;
  readonly breaks: (it: Import) => boolean;
}

/** Rules for what is inside the repository; the first that breaks is reported. */
const RULES: readonly LayerRule[] = [
  {
    rule: "programs must not import tests, scripts or examples",
    breaks: ({ to }) => /^(tests|scripts|examples)\//.test(to),
  },
  {
    rule: "shared knows none of the programs",
    breaks: ({ from, to }) => programOf(from) === "shared" && programOf(to) !== "shared",
  },
  {
    rule: "the files directly in shared/ see only one another and shared/model",
    breaks: ({ from, to }) => isBareShared(from) && !isBareShared(to) && !isModel(to),
  },
  {
    rule: "shared/model sees only itself and the files directly in shared/",
    breaks: ({ from, to }) => isModel(from) && !isModel(to) && !isBareShared(to),
  },
  {
    rule: "cli imports shared only, and orchestrator/main.ts and agent/main.ts in cli/serve.ts",
    breaks: ({ from, to }) =>
      programOf(from) === "cli" && !["cli", "shared"].includes(programOf(to)) &&
      !(from === COMPOSER && ["orchestrator/main.ts", "agent/main.ts"].includes(to)),
  },
  {
    rule: "cli/serve.ts composes a node and is imported lazily only",
    breaks: ({ to, isLazy }) => to === COMPOSER && !isLazy,
  },
  {
    rule: "orchestrator and agent never import each other, nor cli",
    breaks: ({ from, to }) =>
      ["orchestrator", "agent"].includes(programOf(from)) &&
      ![programOf(from), "shared"].includes(programOf(to)),
  },
  {
    rule: "a main.ts is imported by cli/serve.ts and mod.ts only",
    breaks: ({ from, to }) => to.endsWith("/main.ts") && !["cli/serve.ts", "mod.ts"].includes(from),
  },
  {
    rule: "core sees only core, shared/model and the files directly in shared/",
    breaks: ({ from, to }) =>
      layerOf(from) === 0 && !isModel(to) && !isBareShared(to) && folderOf(to) !== folderOf(from),
  },
  {
    rule: "a port sees only shared, core and ports",
    breaks: ({ from, to }) =>
      PORTS.has(from) && programOf(to) !== "shared" && layerOf(to) !== 0 && !PORTS.has(to),
  },
  {
    rule: "an adapter is imported by a main.ts, by cli/serve.ts and by tests only",
    breaks: ({ from, to }) =>
      isAdapter(to) && folderOf(from) !== folderOf(to) && from !== COMPOSER && !/(^|\/)main\.ts$/.test(from),
  },
  {
    rule: "imports go down only: core, store, flow, doors, main.ts",
    breaks: ({ from, to }) => {
      if (
        PORTS.has(to) || programOf(to) === "shared" || layerOf(from) < 0 || folderOf(from) === folderOf(to)
      ) return false;
      return layerOf(to) < 0 || layerOf(to) >= layerOf(from);
    },
  },
];

/** Every import that breaks a rule. Tests may import what they like, but the two sides stay apart. */
export function layerProblems(imports: readonly Import[]): Problem[] {
  const problems: Problem[] = [];
  for (const it of imports) {
    if (!PROGRAMS.includes(programOf(it.from))) continue;
    const isInside = /\.(ts|json)$/.test(it.to) && !/^(npm|node|jsr|https?):/.test(it.to);
    const rule = isTest(it.from) ? undefined : isInside ? brokenRule(it) : brokenOutsideRule(it);
    if (rule) problems.push({ path: it.from, rule: `${rule} (imports ${it.to})` });
  }
  return problems;
}

const brokenRule = (it: Import): string | undefined => RULES.find(({ breaks }) => breaks(it))?.rule;

function brokenOutsideRule({ from, to }: Import): string | undefined {
  if (layerOf(from) === 0) return "core imports no package";
  if (/^(npm|jsr|https?):/.test(to)) return "packages are named in deno.json";
  return undefined;
}

/** Files at a wrong place, with a banned name, or in core without a test beside them. */
export function pathProblems(paths: readonly string[]): Problem[] {
  const known = new Set(paths);
  const problems: Problem[] = [];
  for (const path of paths) {
    const parts = path.split("/");
    const stem = (parts.at(-1) ?? "").replace(/(_test)?\.ts$/, "");
    if (PROGRAMS.includes(programOf(path)) && parts.length > 3) {
      problems.push({ path, rule: "program/folder/file.ts, never deeper" });
    }
    if (BANNED_STEMS.test(stem) || BARE_WORKER.test(stem)) {
      problems.push({ path, rule: `"${stem}" is no name for a file: say what it is` });
    }
    if (!/^[a-z0-9_]+$/.test(stem)) problems.push({ path, rule: "files are named in snake_case" });
    if (layerOf(path) === 0 && !isTest(path) && !known.has(path.replace(/\.ts$/, "_test.ts"))) {
      problems.push({ path, rule: "a file in core has its test beside it" });
    }
  }
  return problems;
}

/** Whether a name that a file exports is too vague. Bacalhau's own names are allowed where its shapes are made. */
export function isBannedName(name: string, path: string): boolean {
  return BANNED_LAST_WORD.test(name) && !path.startsWith("orchestrator/http/");
}
