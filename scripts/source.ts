/** What `check.ts` reads from the text of a source file, without a compiler: the code is formatted by `deno fmt`. */
import { posix } from "node:path";
import type { Import } from "./layers.ts";

/** The static and lazy imports of a file, relative ones resolved to paths in the repository. */
export function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: string | undefined, isLazy: boolean) => {
    if (specifier === undefined) return;
    const isRelative = specifier.startsWith(".");
    found.push({
      from: path,
      to: isRelative ? posix.join(posix.dirname(path), specifier) : specifier,
      isLazy,
    });
  };
  for (const it of text.matchAll(/^(?:import|export)\s[^"'`;]*?\bfrom\s+["']([^"']+)["']/gm)) {
    add(it[1], false);
  }
  for (const it of text.matchAll(/^import\s+["']([^"']+)["']/gm)) add(it[1], false);
  for (const it of text.matchAll(/^(?!\s*(?:\*|\/\/)).*?\bimport\(\s*["']([^"']+)["']/gm)) add(it[1], true);
  return found;
}

/** A name that a file exports, and whether a doc comment stands before it. */
export interface Export {
  readonly name: string;
  readonly line: number;
  readonly hasDoc: boolean;
}

const EXPORT =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type|enum|namespace) ([A-Za-z_$][\w$]*)/;

/**
 * The exported declarations. Those of the same name count as one, documented by any of them: overloads, and a schema
 * with the type of its name.
 */
export function exportsOf(text: string): Export[] {
  const lines = text.split("\n");
  const found = new Map<string, Export>();
  lines.forEach((line, index) => {
    const name = EXPORT.exec(line)?.[1];
    if (name === undefined) return;
    let before = index - 1;
    while (/^\s*\/\/ deno-(lint|fmt)-ignore/.test(lines[before] ?? "")) before--;
    const hasDoc = (lines[before] ?? "").trimEnd().endsWith("*/");
    const earlier = found.get(name);
    found.set(name, { name, line: earlier?.line ?? index + 1, hasDoc: hasDoc || (earlier?.hasDoc ?? false) });
  });
  return [...found.values()];
}

/** Whether a file only hands on what other files export. */
export function isBarrel(text: string): boolean {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const rest = code.replace(/^(?:import|export)\s[^"'`;]*?\bfrom\s+["'][^"']+["'];?/gm, "").trim();
  return rest === "" && /^export\s[^"'`;]*?\bfrom\s/m.test(code);
}

/** A function and how many lines it has. */
export interface Length {
  readonly name: string;
  readonly line: number;
  readonly lineCount: number;
}

const OPENING =
  /^(\s*)(?:export )?(?:(?:static |override |get |set )*(?:async )?(?:function\*? )?([#\w$]+)\s*(?:<.*>)?\(.*\{$|(?:const|let) ([\w$]+) = (?:async )?\(.*=> \{$|(?:async )?(?:function\*? )?([#\w$]+)\($)/;
const STATEMENTS = new Set(["if", "for", "while", "switch", "catch", "return", "do", "else", "with"]);

/** Functions and methods by the lines they span: from the line that names them to the brace at the same indent. */
export function lengthsOf(text: string): Length[] {
  const lines = text.split("\n");
  const found: Length[] = [];
  lines.forEach((line, index) => {
    const match = OPENING.exec(line);
    const name = match?.[2] ?? match?.[3] ?? match?.[4];
    if (!match || name === undefined || STATEMENTS.has(name)) return;
    const indent = match[1] ?? "";
    const end = lines.findIndex((it, at) =>
      at > index && it.startsWith(`${indent}}`) && /^[}),;]+$/.test(it.trim())
    );
    if (end > index) found.push({ name, line: index + 1, lineCount: end - index + 1 });
  });
  return found;
}
