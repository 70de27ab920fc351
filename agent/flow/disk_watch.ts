/** Refuses new work before the disk is full, so that what runs can still be recorded. */
import type { Clock } from "../../shared/clock.ts";
import type { Failure } from "../core/outcome.ts";
import type { Machine } from "../host/host.ts";

/** How long an answer of the machine is good for. */
const FRESH_MS = 1_000;

/** What the disk allows at the moment. */
export class DiskWatch {
  readonly #machine: Machine;
  readonly #clock: Clock;
  /** Free bytes below which new work is refused. */
  readonly #reserveBytes: number;
  #freeBytes = Infinity;
  #lookedAtMs = -Infinity;

  constructor(options: { machine: Machine; clock: Clock; reserveBytes: number }) {
    this.#machine = options.machine;
    this.#clock = options.clock;
    this.#reserveBytes = options.reserveBytes;
  }

  get freeBytes(): number {
    const now = this.#clock.uptimeMs();
    if (now - this.#lookedAtMs >= FRESH_MS) {
      this.#lookedAtMs = now;
      this.#freeBytes = this.#machine.diskFreeBytes();
    }
    return this.#freeBytes;
  }

  /** Why no new work is taken. */
  refuses(): Failure | undefined {
    if (this.freeBytes >= this.#reserveBytes) return undefined;
    return {
      code: "disk_full",
      message: `this node does not have enough free disk: ${mib(this.freeBytes)} are free, ${
        mib(this.#reserveBytes)
      } are kept in reserve`,
      hint: "Free some space on the node; what runs there goes on",
    };
  }

  /** Old executions should go before their time. */
  get isTight(): boolean {
    return this.freeBytes < 2 * this.#reserveBytes;
  }

  /** A transaction found the disk full: what was kept for that is given up, and the next attempt succeeds. */
  onDiskFull(): void {
    this.#machine.releaseReserve();
    this.#lookedAtMs = -Infinity;
  }

  /** Takes the reserve again once there is room. */
  restore(): void {
    if (!this.isTight) this.#machine.keepReserve();
  }
}

const mib = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)} MiB`;
