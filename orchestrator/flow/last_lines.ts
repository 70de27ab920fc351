/** The last lines of an output that is read from its beginning: bounded in lines and in bytes. */
import { LIMITS } from "../../shared/limits.ts";
import type { LogPiece } from "./desk.ts";

interface Kept {
  readonly piece: LogPiece;
  readonly lineEnds: number;
}

/** What a piece costs beside its text: many are short. */
const PIECE_BYTES = 128;

/** Keeps no more than the last lines ask for; where even that is too much, the oldest goes and is told as missing. */
export class LastLines {
  readonly #linesMax: number;
  #kept: Kept[] = [];
  #head = 0;
  #lineEnds = 0;
  #bytes = 0;
  /** Dropped for room within the last lines: none of it when the lines after it are enough. */
  #cutBytes = 0;

  constructor(linesMax: number) {
    this.#linesMax = linesMax;
  }

  /** Takes the next piece. Cost: its length. */
  push(piece: LogPiece): void {
    const lineEnds = countOf("\n", piece.text);
    this.#kept.push({ piece, lineEnds });
    this.#lineEnds += lineEnds;
    this.#bytes += piece.text.length + PIECE_BYTES;
    while (this.#head < this.#kept.length) {
      const first = this.#kept[this.#head]!;
      const isBefore = this.#lineEnds - first.lineEnds > this.#linesMax;
      if (!isBefore && this.#bytes <= LIMITS.tailBytes) return;
      this.#drop(first);
      this.#cutBytes = isBefore ? 0 : this.#cutBytes + sizeOf(first.piece);
    }
  }

  #drop({ piece, lineEnds }: Kept): void {
    this.#head++;
    this.#lineEnds -= lineEnds;
    this.#bytes -= piece.text.length + PIECE_BYTES;
    if (this.#head * 2 < this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#head);
    this.#head = 0;
  }

  /** The lines, in order. */
  take(): LogPiece[] {
    if (this.#linesMax === 0) return [];
    const pieces = this.#kept.slice(this.#head).map(({ piece }) => piece);
    const isOpen = pieces.findLast(({ text }) => text !== "")?.text.endsWith("\n") === false;
    let surplus = this.#lineEnds + (isOpen ? 1 : 0) - this.#linesMax;
    if (surplus <= 0) return this.#cutBytes === 0 ? pieces : [this.#missing(pieces), ...pieces];
    for (let at = 0;; at++) {
      const { text } = pieces[at]!;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) {
        if (--surplus > 0) continue;
        const rest = { ...pieces[at]!, text: text.slice(end + 1), cutBytes: undefined };
        return rest.text === "" ? pieces.slice(at + 1) : [rest, ...pieces.slice(at + 1)];
      }
    }
  }

  #missing(pieces: readonly LogPiece[]): LogPiece {
    const { stream, atMs } = pieces[0] ?? { stream: "stdout", atMs: 0 };
    return { stream, atMs, text: "", cutBytes: this.#cutBytes };
  }
}

const sizeOf = ({ text, cutBytes = 0 }: LogPiece): number => new TextEncoder().encode(text).length + cutBytes;

function countOf(mark: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) count++;
  return count;
}
