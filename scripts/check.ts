/**
 * Checks what the compiler and the linter do not: layers, names and places of files, doc comments. Warns of long files
 * and functions. `deno run -A scripts/check.ts`; exit code 1 when a rule is broken.
 */
import { isBannedName, layerProblems, pathProblems, type Problem } from "./layers.ts";
import { exportsOf, importsOf, isBarrel, lengthsOf } from "./source.ts";

/** From here on a file or a function asks to be looked at. */
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

const SKIPPED = /^(\.|node_modules$|dist$|coverage$)/;

/** All TypeScript files below a folder, as paths from it, in order. */
export async function sourceFiles(root: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${root}/${below}`)) {
    if (SKIPPED.test(entry.name)) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory) found.push(...await sourceFiles(root, path));
    else if (entry.isFile && entry.name.endsWith(".ts")) found.push(path);
  }
  return found.sort();
}

/** What `check` found: broken rules, and what deserves a look. */
export interface Findings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

/** Checks a set of files: path → text. */
export function check(files: ReadonlyMap<string, string>): Findings {
  const problems: Problem[] = [...pathProblems([...files.keys()])];
  const warnings: string[] = [];
  for (const [path, text] of files) {
    problems.push(...layerProblems(importsOf(path, text)));
    const isSupport = path.endsWith("_test.ts") || path.startsWith("tests/");
    if (isSupport) continue;
    if (isBarrel(text)) problems.push({ path, rule: "no barrels: import from the file that declares" });
    for (const { name, line, hasDoc } of exportsOf(text)) {
      if (!hasDoc) problems.push({ path: `${path}:${line}`, rule: `${name} has no doc comment` });
      if (isBannedName(name, path)) {
        problems.push({ path: `${path}:${line}`, rule: `${name} is too vague a name` });
      }
    }
    const lineCount = text.split("\n").length - 1;
    if (lineCount > FILE_LINES_MAX) warnings.push(`${path}: ${lineCount} lines`);
    for (const it of lengthsOf(text)) {
      if (it.lineCount > FUNCTION_LINES_MAX) {
        warnings.push(`${path}:${it.line}: ${it.name} has ${it.lineCount} lines`);
      }
    }
  }
  return { problems, warnings };
}

if (import.meta.main) {
  const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
  const files = new Map<string, string>();
  for (const path of await sourceFiles(root)) files.set(path, await Deno.readTextFile(`${root}/${path}`));
  const { problems, warnings } = check(files);
  for (const it of warnings) console.log(`warning: ${it}`);
  for (const { path, rule } of problems) console.log(`error: ${path}: ${rule}`);
  console.log(`${files.size} files, ${problems.length} errors, ${warnings.length} warnings`);
  Deno.exit(problems.length > 0 ? 1 : 0);
}
