/** One websocket that the server writes to: bounded, and ended once. */
import type { Clock } from "../../shared/clock.ts";
import { LIMITS } from "../../shared/limits.ts";

/** Between looks at how much a slow reader has taken: browsers and Deno tell it by no event. */
const DRAIN_MS = 10;
const CLOSE_NORMAL = 1000;

/** The server's end. */
export interface Socket {
  /** Resolves when frames can be sent, or when that will never be. */
  readonly opened: Promise<void>;
  /** Aborted when the other side has gone. */
  readonly signal: AbortSignal;
  /** Sends one JSON frame; waits while the reader is slow. Does nothing when it has gone. */
  send(frame: unknown): Promise<void>;
  /** Ends normally. */
  close(): void;
}

/** Upgrades the request. What the other side sends is not read. */
export function openSocket(request: Request, clock: Clock): { response: Response; socket: Socket } {
  const { response, socket: raw } = Deno.upgradeWebSocket(request);
  const gone = new AbortController();
  const { promise: opened, resolve } = Promise.withResolvers<void>();
  raw.onopen = () => resolve();
  raw.onclose = raw.onerror = () => {
    gone.abort();
    resolve();
  };
  const isOpen = () => raw.readyState === WebSocket.OPEN && !gone.signal.aborted;
  const socket: Socket = {
    opened,
    signal: gone.signal,
    async send(frame) {
      while (isOpen() && raw.bufferedAmount > LIMITS.socketBufferBytes) {
        await new Promise<void>((resolve) => clock.after(DRAIN_MS, resolve));
      }
      if (isOpen()) raw.send(JSON.stringify(frame));
    },
    close() {
      if (isOpen()) raw.close(CLOSE_NORMAL);
    },
  };
  return { response, socket };
}
