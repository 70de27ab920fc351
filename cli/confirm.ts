/** Asks before something cannot be undone. */
import { AppError } from "../shared/errors.ts";
import type { Terminal } from "./terminal.ts";

/** Whether the user says yes. Throws `bad_request` where nobody can be asked. */
export function confirm(terminal: Terminal, question: string): boolean {
  if (!Deno.stdin.isTerminal() || !terminal.isErrTerminal) {
    throw new AppError("bad_request", `Cannot ask "${question}": this is no terminal`, {
      hint: "Add --yes to do it without asking, or --dry-run to see what it would do",
    });
  }
  terminal.write(new TextEncoder().encode(`${question} [y/N] `), { isError: true });
  const line = new Uint8Array(64);
  const count = Deno.stdin.readSync(line) ?? 0;
  return /^(y|yes)$/i.test(new TextDecoder().decode(line.subarray(0, count)).trim());
}
