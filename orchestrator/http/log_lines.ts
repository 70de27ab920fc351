/** What of an execution's output is sent when: as it comes, or by whole lines where outputs of several are mixed. */
import type { LogPiece } from "../flow/desk.ts";

/** The output of one execution on its way to a reader. */
export class LogLines {
  readonly #isMixed: boolean;
  /** Of each stream, what waits for the end of its line. Empty unless mixed. */
  readonly #waiting = { stdout: "", stderr: "" };
  /** Of each stream, whether what was sent ends within a line. */
  readonly #isWithinLine = { stdout: false, stderr: false };

  constructor(options: { isMixed: boolean }) {
    this.#isMixed = options.isMixed;
  }

  /** What is to be sent now; where output is missing, a line of its own says so. */
  take({ stream, text, cutBytes }: Pick<LogPiece, "stream" | "text" | "cutBytes">): string {
    const cut = cutBytes ? `${this.end(stream)}[${cutBytes} bytes of output are missing here]\n` : "";
    const joined = this.#waiting[stream] + text;
    const length = this.#isMixed ? joined.lastIndexOf("\n") + 1 : joined.length;
    this.#waiting[stream] = joined.slice(length);
    const sent = cut + joined.slice(0, length);
    if (sent !== "") this.#isWithinLine[stream] = !sent.endsWith("\n");
    return sent;
  }

  /** What is left of a line, and its end; empty between lines. */
  end(stream: LogPiece["stream"]): string {
    const rest = this.#waiting[stream];
    const isOpen = rest !== "" || this.#isWithinLine[stream];
    this.#waiting[stream] = "";
    this.#isWithinLine[stream] = false;
    return isOpen ? `${rest}\n` : "";
  }
}
