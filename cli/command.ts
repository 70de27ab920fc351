/** The command tree as data: from it follow parsing, help, completions and `docs/cli.md`. */
import type { Completes, Flags, Values } from "./flags.ts";
import type { Settings } from "./config.ts";
import type { Terminal } from "./terminal.ts";

/** An operand. Only the last may repeat. */
export interface Operand {
  readonly name: string;
  readonly summary: string;
  readonly isOptional?: boolean;
  readonly isRepeated?: boolean;
  readonly completes?: Completes;
  readonly choices?: readonly string[];
}

/** A command line that works, and what it does. */
export interface Example {
  readonly line: string;
  readonly does: string;
}

/** One command as it was called. */
export interface Call<F extends Flags = Flags> {
  readonly operands: readonly string[];
  readonly flags: Values<F>;
  /** Names of the flags that were given, in camel case. */
  readonly given: ReadonlySet<string>;
  readonly settings: Settings;
  readonly terminal: Terminal;
}

/** Something that can be run. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Paragraphs below the summary. */
  readonly about?: string;
  readonly operands: readonly Operand[];
  readonly flags: Flags;
  readonly examples: readonly Example[];
  readonly isHidden?: boolean;
  /** The exit code; nothing means 0. */
  run(call: Call): Promise<number | void>;
}

/** A first word, such as `job`: a command itself, or a group of commands. */
export interface Noun {
  readonly name: string;
  readonly summary: string;
  readonly about?: string;
  readonly command?: Command;
  readonly commands?: readonly Command[];
}

/** A command whose `run` sees its flags with their types. */
export function defineCommand<const F extends Flags>(
  command: Omit<Command, "run" | "flags"> & { flags: F; run(call: Call<F>): Promise<number | void> },
): Command {
  return command as unknown as Command;
}
