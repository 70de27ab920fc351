/** A bounded number of places: each is held until it is given back. */
import { AppError } from "../../shared/errors.ts";

/** Places for what costs a connection. */
export class Slots {
  #heldCount = 0;

  /** `what` names the occupants in the error: `log sockets`. */
  constructor(readonly what: string, readonly max: number) {}

  get heldCount(): number {
    return this.#heldCount;
  }

  /** A place, or `exhausted`. Giving it back twice counts once. */
  take(): () => void {
    if (this.#heldCount >= this.max) {
      const message =
        `Cannot serve more ${this.what}: there must be at most ${this.max}, current value is ${this.max}`;
      throw new AppError("exhausted", message, { hint: "Try again when some have ended" });
    }
    this.#heldCount++;
    let isHeld = true;
    return () => {
      if (isHeld) this.#heldCount--;
      isHeld = false;
    };
  }
}
