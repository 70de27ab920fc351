/** `skerry config list|get|set|unset` */
import { EXIT } from "../shared/errors.ts";
import { type Call, defineCommand, type Noun } from "./command.ts";
import { removeConfigKey, writeConfigKey } from "./config_file.ts";
import { OUTPUT_FLAGS, printList } from "./output.ts";
import { findKey, readSetting, SETTING_KEYS, SETTINGS, split } from "./settings.ts";
import { AppError } from "../shared/errors.ts";

const KEY = { name: "KEY", summary: "Name of the setting, such as data_dir", completes: "setting" } as const;

const list = defineCommand({
  name: "list",
  summary: "Show every setting, its value, where it comes from and what it means",
  about: "Flags beat the environment (SKERRY_<KEY>), which beats the config file, which beats the default.",
  operands: [],
  flags: OUTPUT_FLAGS,
  examples: [{ line: "skerry config list", does: "Every setting" }, {
    line: "skerry config list --output json",
    does: "The same for scripts",
  }],
  async run({ flags, settings, terminal }: Call<typeof OUTPUT_FLAGS>) {
    const rows = await Promise.all(SETTING_KEYS.map((key) => settings.show(key)));
    await printList(terminal, {
      rows,
      output: flags.output,
      wireOf: (row) => row,
      nameOf: ({ key }) => key,
      empty: "No settings",
      columns: [
        { title: "KEY", cell: ({ key }) => key, tint: (_, text) => terminal.paint.accent(text) },
        { title: "VALUE", cell: ({ text }) => text || "-" },
        { title: "SOURCE", cell: ({ source }) => source },
        { title: "DESCRIPTION", cell: ({ summary }) => summary },
      ],
    });
    if (flags.output === "table") terminal.note(`Config file: ${settings.path}`);
  },
});

const get = defineCommand({
  name: "get",
  summary: "Print the value of one setting",
  operands: [KEY],
  flags: {},
  examples: [{ line: "skerry config get data_dir", does: "Where the server keeps its state" }],
  async run({ operands, settings, terminal }: Call) {
    const shown = await settings.show(findKey(operands[0]!));
    terminal.print(shown.text);
    return EXIT.ok;
  },
});

const set = defineCommand({
  name: "set",
  summary: "Write one setting into the config file",
  about: "Values of lists are separated by commas. The value is checked first; comments in the file stay.",
  operands: [
    { ...KEY, name: "KEY[=VALUE]" },
    { name: "VALUE", summary: "The value, unless it follows the key and =", isOptional: true },
  ],
  flags: {},
  examples: [
    { line: "skerry config set api http://hub.example:1234", does: "Talk to this server from now on" },
    { line: "skerry config set labels site=pier,arch=arm", does: "A list" },
  ],
  async run({ operands, settings, terminal }: Call) {
    const [key, text] = splitPair(operands);
    readSetting(key, split(key, text), key);
    await writeConfigKey(settings.path, { key, text });
    terminal.note(`Set ${key} in ${settings.path}`);
    const now = await settings.show(key);
    if (now.source !== "file") terminal.note(`Note: the ${now.source} sets ${key} too, and beats the file`);
  },
});

const unset = defineCommand({
  name: "unset",
  summary: "Take one setting out of the config file",
  about: "The environment or the default then decides. What else is in the file stays.",
  operands: [KEY],
  flags: {},
  examples: [{ line: "skerry config unset api", does: "Talk to the server on this machine again" }],
  async run({ operands, settings, terminal }: Call) {
    const key = findKey(operands[0]!);
    const wasThere = await removeConfigKey(settings.path, key);
    const shown = await settings.show(key);
    const now = shown.text === "" ? "it has no value now" : `it is ${shown.text} now (${shown.source})`;
    terminal.note(
      wasThere ? `Took ${key} out of ${settings.path}: ${now}` : `${key} is not in ${settings.path}: ${now}`,
    );
  },
});

function splitPair(operands: readonly string[]) {
  const [first = "", second] = operands;
  const at = first.indexOf("=");
  if (second !== undefined) return [findKey(first), second] as const;
  if (at > 0) return [findKey(first.slice(0, at)), first.slice(at + 1)] as const;
  const key = findKey(first);
  throw new AppError("bad_request", `Cannot set ${key}: the value is missing`, {
    hint: `\`skerry config set ${key} ${SETTINGS[key].placeholder}\``,
  });
}

/** `skerry config` */
export const CONFIG: Noun = {
  name: "config",
  summary: "Read and change settings",
  commands: [list, get, set, unset],
};
