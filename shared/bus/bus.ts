/**
 * The port of the bus: carries bytes between peers and promises nothing. Messages may be lost, doubled and reordered;
 * what must not be is numbered by sync above it. The contract suite is `tests/contract/bus_test.ts`.
 */

/** Receives one message. Must not throw; work that takes long is queued. */
export type Receiver = (bytes: Uint8Array) => void;
/** Answers one request with bytes; a rejection is answered as an error by the caller of `respond`. */
export type Responder = (bytes: Uint8Array) => Promise<Uint8Array>;

/** Carries bytes by subject. */
export interface Bus {
  /** Sends and forgets; nobody listening is no error. Never blocks. */
  publish(subject: string, bytes: Uint8Array): void;
  /** The answer ends the subscription. */
  subscribe(subject: string, receive: Receiver): () => void;
  /** Errors: `unavailable` when nobody responds there, `timed_out` after `timeoutMs`. */
  request(subject: string, bytes: Uint8Array, options: { timeoutMs: number }): Promise<Uint8Array>;
  /** One responder for each subject; the answer ends it. */
  respond(subject: string, respond: Responder): () => void;
  /** Calls with true when the link comes up (at once when it is up) and with false when it goes. */
  onLink(call: (isUp: boolean) => void): () => void;
  close(): Promise<void>;
}
