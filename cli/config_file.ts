/** The config file: YAML, one key a line. Its comments survive changes. */
import { dirname } from "node:path";
import type { Document } from "yaml";
import { AppError } from "../shared/errors.ts";
import { nearest } from "../shared/spec/suggest.ts";
import { quote } from "../shared/spec/problems.ts";
import { reasonOf } from "./file_errors.ts";
import { SETTING_KEYS, type SettingKey, SETTINGS, split } from "./settings.ts";

/** Texts by key. A file that does not exist is empty, unless it is required. */
export async function readConfigFile(
  path: string,
  options: { isRequired: boolean },
): Promise<ReadonlyMap<SettingKey, readonly string[]>> {
  const source = await readText(path, options);
  if (source.trim() === "") return new Map();
  const { parse } = await import("yaml");
  const written = asMap(readYaml(() => parse(source), path), path);
  const texts = new Map<SettingKey, readonly string[]>();
  for (const [key, value] of Object.entries(written)) {
    const known = SETTING_KEYS.find((candidate) => candidate === key.replaceAll("-", "_"));
    if (!known) {
      const near = nearest(key, SETTING_KEYS);
      throw new AppError("config", `Cannot use ${path}: unknown key ${quote(key)}`, {
        hint: near ? `Did you mean ${near}?` : "`skerry config list` shows every key",
      });
    }
    if (value !== null) texts.set(known, textsOf(known, value, path));
  }
  return texts;
}

/** Sets one key and keeps everything else of the file. */
export async function writeConfigKey(
  path: string,
  { key, text }: { key: SettingKey; text: string },
): Promise<void> {
  await changeFile(path, (document) => {
    document.set(spellings(document, key)[0] ?? key, valueOf(key, text));
  });
}

/** Takes one key out and keeps everything else of the file; whether it was there. */
export async function removeConfigKey(path: string, key: SettingKey): Promise<boolean> {
  if (!(await readConfigFile(path, { isRequired: false })).has(key)) return false;
  await changeFile(path, (document) => {
    for (const spelling of spellings(document, key)) document.delete(spelling);
  });
  return true;
}

/** The key as the file has it: with `_` or `-`. */
function spellings(document: Document, key: SettingKey): readonly string[] {
  return [key, key.replaceAll("_", "-")].filter((spelling) => document.has(spelling));
}

/** The new file takes the old one's place at once. */
async function changeFile(path: string, change: (document: Document) => void): Promise<void> {
  const { parseDocument } = await import("yaml");
  const document = parseDocument(await readText(path, { isRequired: false }));
  readYaml(() => {
    if (document.errors[0]) throw document.errors[0];
  }, path);
  asMap(document.toJS() ?? {}, path);
  change(document);
  await Deno.mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${crypto.randomUUID().slice(0, 8)}.draft`;
  try {
    await Deno.writeTextFile(draft, document.toString(), { mode: 0o600 });
    await Deno.rename(draft, path);
  } catch (error) {
    await Deno.remove(draft).catch(() => {});
    throw new AppError("io", `Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

async function readText(path: string, { isRequired }: { isRequired: boolean }): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && !isRequired) return "";
    throw new AppError("config", `Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function readYaml<Value>(read: () => Value, path: string): Value {
  try {
    return read();
  } catch (error) {
    const text = (error as Error).message.split("\n")[0]!.replace(/:$/, "");
    throw new AppError("config", `Cannot read ${path}: ${text}`, { cause: error });
  }
}

function asMap(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new AppError("config", `Cannot use ${path}: it must hold lines such as "api: http://127.0.0.1:1234"`);
}

function textsOf(key: SettingKey, value: unknown, path: string): readonly string[] {
  if (typeof value === "object" && value !== null && !SETTINGS[key].isList) {
    throw new AppError(
      "config",
      `Cannot use ${key} in ${path}: must be one value, current value is ${quote(value)}`,
    );
  }
  if (Array.isArray(value)) return value.map(String);
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).map(([name, entry]) => `${name}=${entry}`);
  }
  return split(key, String(value));
}

/** The nicest YAML for a written value. */
function valueOf(key: SettingKey, text: string): unknown {
  if (SETTINGS[key].isList) return split(key, text);
  if (text === "true" || text === "false") return text === "true";
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}
