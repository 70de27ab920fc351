/** A terminal that keeps what was written to it. */
import { colours } from "../../cli/paint.ts";
import type { Terminal } from "../../cli/terminal.ts";

/** What a command wrote. */
export interface KeptTerminal extends Terminal {
  texts(): { readonly out: string; readonly notes: string };
}

/** Neither stream is watched, so there are no colours and no progress. */
export function aTerminal(change: Partial<Terminal> = {}): KeptTerminal {
  let [out, notes] = ["", ""];
  return {
    print: (text) => void (out += `${text}\n`),
    note: (text) => void (notes += `${text}\n`),
    write(bytes, { isError = false } = {}) {
      const text = new TextDecoder().decode(bytes);
      if (isError) notes += text;
      else out += text;
    },
    progress() {},
    isOutTerminal: false,
    isErrTerminal: false,
    columns: Number.POSITIVE_INFINITY,
    paint: colours(false),
    paintNote: colours(false),
    ...change,
    texts: () => ({ out, notes }),
  };
}
