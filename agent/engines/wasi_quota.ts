/** What a task may still write. */
import { DISK_ENTRIES_MAX } from "./wasm_limits.ts";

/** Counts bytes by the sizes of files (holes included) and entries by their number. */
export class DiskQuota {
  #usedBytes = 0;
  #entries = 0;
  /** Whether something was ever refused. */
  isExceeded = false;

  constructor(readonly limitBytes: number) {}

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Takes up to `bytes`; returns how many there was room for. */
  take(bytes: number): number {
    const granted = Math.min(bytes, Math.max(0, this.limitBytes - this.#usedBytes));
    if (granted < bytes) this.isExceeded = true;
    this.#usedBytes += granted;
    return granted;
  }

  /** Takes all of `bytes` or nothing. */
  takeAll(bytes: number): boolean {
    const granted = this.take(bytes);
    if (granted < bytes) this.#usedBytes -= granted;
    return granted === bytes;
  }

  /** Gives back. Removing what was there before the task does not make room beyond the limit. */
  give(bytes: number): void {
    this.#usedBytes = Math.max(0, this.#usedBytes - bytes);
  }

  /** Takes one entry of a folder. */
  takeEntry(): boolean {
    const hasRoom = this.#entries < DISK_ENTRIES_MAX;
    if (hasRoom) this.#entries++;
    else this.isExceeded = true;
    return hasRoom;
  }

  giveEntry(): void {
    this.#entries = Math.max(0, this.#entries - 1);
  }
}
