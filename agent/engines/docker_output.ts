/**
 * What a container prints, moved into the execution's log files exactly once. The daemon stamps every piece with its
 * time; how far each stream has been taken over is kept beside the files, so that a new process goes on there.
 *
 * `<folder>/.docker.log`: JSON of a fixed length, written over in place after each piece. Not synced: what a power cut takes
 * from it is taken over again, and cut off first.
 */
import { LogWriter } from "./log_files.ts";
import type { DockerClient } from "./docker_client.ts";

/** How far one stream has been taken over. */
interface Taken {
  /** Stamp of the newest piece, as the daemon writes it: sorts as text. Empty before the first. */
  stamp: string;
  /** Pieces with that stamp: a line that is longer than 16 KiB comes in several. */
  pieces: number;
  /** Bytes in the file. */
  bytes: number;
  /** Bytes beyond its bound. */
  dropped: number;
}

type Stream = "stdout" | "stderr";

const CURSOR_BYTES = 384;
/** Length of the daemon's stamps: RFC 3339 with nine digits, in UTC. */
const STAMP_BYTES = 30;
const FRAME_HEADER_BYTES = 8;
/** A piece that is larger is no piece: the stream is out of step. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024;

/** Takes over one container's output. One at a time for each folder. */
export class ContainerOutput {
  readonly #folder: string;
  readonly #logs: LogWriter;
  readonly #run: number;
  readonly #taken: Record<Stream, Taken>;
  #cursor: Deno.FsFile | undefined;
  #nowMs = Date.now();

  /** Goes on where an earlier process ended. */
  constructor(folder: string, { run, limitBytes }: { run: number; limitBytes: number }) {
    this.#folder = folder;
    this.#run = run;
    this.#taken = readCursor(folder, run);
    this.#logs = LogWriter.resume(folder, {
      limitBytes,
      now: () => this.#nowMs,
      stdout: this.#taken.stdout,
      stderr: this.#taken.stderr,
    });
  }

  /** Takes over what there is, and with `isFollowing` what comes, until the container ends or `signal` aborts. */
  async take(
    client: DockerClient,
    containerId: string,
    options: { isFollowing: boolean; signal?: AbortSignal },
  ): Promise<void> {
    const stream = await client.stream("GET", `/containers/${containerId}/logs`, {
      query: {
        stdout: true,
        stderr: true,
        timestamps: true,
        follow: options.isFollowing,
        since: this.#since(),
      },
      signal: options.signal,
    });
    const repeats = { stdout: this.#taken.stdout.pieces, stderr: this.#taken.stderr.pieces };
    const frames = new FrameReader((name, payload) => this.#takeOne(name, payload, repeats));
    for await (const chunk of stream) {
      frames.push(chunk);
      this.#writeCursor();
    }
  }

  /** Nothing more will come. */
  close(options: { isDurable: boolean }): void {
    this.#logs.close(options);
    this.#cursor?.close();
    this.#cursor = undefined;
  }

  /** Seconds since 1970 of the stamp from which both streams are to be read; pieces that were taken over are left out. */
  #since(): string | undefined {
    const { stdout, stderr } = this.#taken;
    if (stdout.stamp === "" || stderr.stamp === "") return undefined;
    const stamp = stdout.stamp < stderr.stamp ? stdout.stamp : stderr.stamp;
    return `${Math.floor(Date.parse(stamp) / 1000)}.${stamp.slice(20, 29)}`;
  }

  /** `repeats`: so many pieces with the newest stamp were taken over before this pass, and come again. */
  #takeOne(name: Stream, payload: Uint8Array, repeats: Record<Stream, number>): void {
    const stamp = new TextDecoder().decode(payload.subarray(0, STAMP_BYTES));
    const taken = this.#taken[name];
    if (stamp < taken.stamp) return;
    if (stamp === taken.stamp && repeats[name]-- > 0) return;
    taken.pieces = stamp === taken.stamp ? taken.pieces + 1 : 1;
    if (stamp !== taken.stamp) repeats[name] = 0;
    this.#nowMs = Date.parse(stamp) || this.#nowMs;
    const bytes = payload.subarray(STAMP_BYTES + 1);
    const kept = this.#logs.write(name, bytes);
    taken.stamp = stamp;
    taken.bytes += kept;
    taken.dropped += bytes.length - kept;
  }

  #writeCursor(): void {
    this.#cursor ??= Deno.openSync(cursorPath(this.#folder), { write: true, create: true });
    const text = JSON.stringify({ run: this.#run, ...this.#taken }).padEnd(CURSOR_BYTES - 1) + "\n";
    this.#cursor.seekSync(0, Deno.SeekMode.Start);
    this.#cursor.writeSync(new TextEncoder().encode(text));
  }
}

const cursorPath = (folder: string): string => `${folder}/.docker.log`;

function readCursor(folder: string, run: number): Record<Stream, Taken> {
  const nothing = (): Taken => ({ stamp: "", pieces: 0, bytes: 0, dropped: 0 });
  try {
    const { run: written = 0, stdout, stderr } = JSON.parse(Deno.readTextFileSync(cursorPath(folder))) as
      & Record<Stream, Taken>
      & { run?: number };
    if (isTaken(stdout) && isTaken(stderr)) {
      if (written === run) return { stdout, stderr };
      // Another container: what it prints follows, whatever the clock says.
      const afresh = { stamp: "", pieces: 0 };
      return { stdout: { ...stdout, ...afresh }, stderr: { ...stderr, ...afresh } };
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof SyntaxError)) throw error;
  }
  return { stdout: nothing(), stderr: nothing() };
}

function isTaken(value: Taken | undefined): value is Taken {
  return typeof value?.stamp === "string" && Number.isSafeInteger(value.pieces) &&
    Number.isSafeInteger(value.bytes) &&
    Number.isSafeInteger(value.dropped);
}

/** Cuts the daemon's stream into pieces: a header of eight bytes (stream, three zeros, length), then the piece. */
export class FrameReader {
  readonly #onFrame: (stream: Stream, payload: Uint8Array) => void;
  #rest = new Uint8Array();

  constructor(onFrame: (stream: Stream, payload: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Uint8Array): void {
    let bytes = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk);
    while (bytes.length >= FRAME_HEADER_BYTES) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const length = view.getUint32(4);
      if (length > FRAME_BYTES_MAX) {
        throw new Error(`The daemon's output is out of step: a piece of ${length} bytes`);
      }
      if (bytes.length < FRAME_HEADER_BYTES + length) break;
      const payload = bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length);
      this.#onFrame(view.getUint8(0) === 2 ? "stderr" : "stdout", payload);
      bytes = bytes.subarray(FRAME_HEADER_BYTES + length);
    }
    this.#rest = new Uint8Array(bytes);
  }
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array {
  const joined = new Uint8Array(one.length + other.length);
  joined.set(one);
  joined.set(other, one.length);
  return joined;
}
