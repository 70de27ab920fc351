/** Colours for terminals. */

/** Each takes text without colours. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  accent(text: string): string;
}

/** Real colours, or none. */
export function colours(hasColours: boolean): Paint {
  const code = (open: number, close: number) => (text: string) =>
    hasColours && text !== "" ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    bold: code(1, 22),
    dim: code(2, 22),
    good: code(32, 39),
    bad: code(31, 39),
    warn: code(33, 39),
    accent: code(36, 39),
  };
}
