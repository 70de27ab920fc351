/**
 * What a task prints, on disk: `stdout` and `stderr` as they are, and `log.index`, which says in what order and when.
 *
 * A record of the index is 16 bytes, little-endian: u8 kind, u24 upper part of the length, u32 length, f64 Unix
 * milliseconds.
 *
 * | kind | length |
 * | --- | --- |
 * | 1 stdout, 2 stderr | bytes that follow in that file |
 * | 3 stdout cut, 4 stderr cut | bytes dropped since the last such record |
 * | 5 end | 0; nothing follows: the task has ended |
 *
 * A file that nothing was written to is not there: what the agent knows of the execution tells that such a log has ended.
 *
 * Bytes are written through at once, records are joined (so that a program that prints byte by byte does not get an index
 * sixteen times its output): bytes beyond what the index tells of are the newest ones.
 */

const RECORD_BYTES = 16;

/** Records of the same stream within this time become one. */
const JOIN_MS = 20;

/** A joined record is no larger than this, so that its time says something. */
const JOIN_BYTES = 32 * 1024;

/** Beyond the output's bound divided by this, the index no longer keeps the order of the two streams exactly. */
const INDEX_SHARE = 4;
const INDEX_FLOOR_BYTES = 64 * 1024;

const KINDS = { stdout: 1, stderr: 2, stdoutCut: 3, stderrCut: 4, end: 5 } as const;

/** One of the two streams. */
export type LogStream = "stdout" | "stderr";

class StreamWriter {
  readonly #path: string;
  #file: Deno.FsFile | undefined;
  written = 0;
  dropped = 0;
  droppedTold = 0;
  pendingBytes = 0;
  pendingSinceMs = 0;

  constructor(folder: string, readonly name: LogStream, readonly limitBytes: number) {
    this.#path = `${folder}/${name}`;
  }

  /** Goes on after what is there, as far as it is known; what comes after that is cut off. */
  resume({ bytes, dropped }: { bytes: number; dropped: number }): void {
    this.written = bytes;
    this.dropped = dropped;
    if (bytes > 0) {
      this.#file = Deno.openSync(this.#path, { write: true });
      this.#file.truncateSync(bytes);
      this.#file.seekSync(bytes, Deno.SeekMode.Start);
    }
  }

  /** Appends what fits; returns how many bytes that is. */
  append(bytes: Uint8Array): number {
    const room = Math.max(0, this.limitBytes - this.written);
    const kept = bytes.length <= room ? bytes : bytes.subarray(0, room);
    this.#file ??= createFile(this.#path);
    let done = 0;
    while (done < kept.length) done += this.#file.writeSync(kept.subarray(done));
    this.written += done;
    this.dropped += bytes.length - done;
    return done;
  }

  close(isDurable: boolean): void {
    if (isDurable && this.written > 0) this.#file?.syncDataSync();
    this.#file?.close();
    this.#file = undefined;
  }
}

/**
 * Writes the three files of one execution, each with its first byte: a task that prints nothing costs the disk nothing.
 * Synchronous: what `write` returned from is in the files.
 */
export class LogWriter {
  readonly #indexPath: string;
  #index: Deno.FsFile | undefined;
  readonly #streams: Record<LogStream, StreamWriter>;
  readonly #exactBytes: number;
  readonly #now: () => number;
  #last: LogStream | undefined;
  #indexBytes = 0;

  /** `limitBytes` bounds each stream; `now` gives Unix milliseconds. */
  constructor(folder: string, options: { limitBytes: number; now?: () => number }) {
    this.#now = options.now ?? Date.now;
    this.#exactBytes = Math.max(INDEX_FLOOR_BYTES, options.limitBytes / INDEX_SHARE);
    this.#streams = {
      stdout: new StreamWriter(folder, "stdout", options.limitBytes),
      stderr: new StreamWriter(folder, "stderr", options.limitBytes),
    };
    this.#indexPath = `${folder}/log.index`;
  }

  /**
   * Goes on with the files of a writer that died: each stream holds so many bytes that count, and so many were dropped. What
   * the index tells of beyond that is forgotten, and what it does not tell of is put in.
   */
  static resume(
    folder: string,
    options: {
      limitBytes: number;
      now?: () => number;
      stdout: { bytes: number; dropped: number };
      stderr: { bytes: number; dropped: number };
    },
  ): LogWriter {
    const logs = new LogWriter(folder, options);
    if (options.stdout.bytes + options.stderr.bytes > 0) logs.#takeOver(options);
    return logs;
  }

  /** Goes on after the end of an earlier run: what it printed stays, and the end that it recorded goes. */
  static append(folder: string, options: { limitBytes: number; now?: () => number }): LogWriter {
    const dropped = { stdout: 0, stderr: 0 };
    for (const { kind, length } of readIndexSync(`${folder}/log.index`)) {
      if (kind === KINDS.stdoutCut) dropped.stdout += length;
      if (kind === KINDS.stderrCut) dropped.stderr += length;
    }
    const standing = (name: LogStream) => ({ bytes: sizeOf(`${folder}/${name}`), dropped: dropped[name] });
    return LogWriter.resume(folder, { ...options, stdout: standing("stdout"), stderr: standing("stderr") });
  }

  /** Records that count stay where they are, so that readers find their places again. */
  #takeOver(from: Record<LogStream, { bytes: number; dropped: number }>): void {
    const indexed = { stdout: 0, stderr: 0 };
    const told = { stdout: 0, stderr: 0 };
    const kept: { kind: number; length: number; atMs: number }[] = [];
    for (const { kind, length, atMs } of readIndexSync(this.#indexPath)) {
      if (kind === KINDS.end) continue;
      const name = kind === KINDS.stdout || kind === KINDS.stdoutCut ? "stdout" : "stderr";
      const isCut = kind === KINDS.stdoutCut || kind === KINDS.stderrCut;
      const sum = isCut ? told : indexed;
      const fitting = Math.min(length, from[name][isCut ? "dropped" : "bytes"] - sum[name]);
      sum[name] += fitting;
      if (fitting > 0) kept.push({ kind, length: fitting, atMs });
    }
    this.#index = createFile(this.#indexPath);
    for (const { kind, length, atMs } of kept) this.#record(kind, length, atMs);
    for (const name of ["stdout", "stderr"] as const) {
      this.#streams[name].resume(from[name]);
      this.#streams[name].droppedTold = told[name];
      const missing = from[name].bytes - indexed[name];
      if (missing > 0) this.#record(KINDS[name], missing, this.#now());
      if (from[name].dropped > told[name]) this.#tellCut(this.#streams[name], this.#now());
    }
  }

  /** Appends to a stream; what is beyond its bound is dropped and counted. Answers how many bytes were kept. */
  write(name: LogStream, bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    const stream = this.#streams[name];
    const nowMs = this.#now();
    this.#joinOrFlush(name, nowMs);
    const kept = stream.append(bytes);
    if (kept > 0) {
      if (stream.pendingBytes === 0) stream.pendingSinceMs = nowMs;
      stream.pendingBytes += kept;
      this.#last = name;
    }
    if (stream.dropped > stream.droppedTold * 2) this.#tellCut(stream, nowMs);
    return kept;
  }

  /** Writes what is pending and the end record; with `isDurable`, the streams are on disk when it returns. */
  close(options: { isDurable: boolean }): void {
    const nowMs = this.#now();
    for (const stream of Object.values(this.#streams)) {
      this.#flush(stream);
      if (stream.dropped > stream.droppedTold) this.#tellCut(stream, nowMs);
      stream.close(options.isDurable);
    }
    if (this.#index !== undefined) this.#record(KINDS.end, 0, nowMs);
    this.#index?.close();
  }

  #joinOrFlush(name: LogStream, nowMs: number): void {
    const isExact = this.#indexBytes < this.#exactBytes;
    if (this.#last !== undefined && this.#last !== name && isExact) this.#flush(this.#streams[this.#last]);
    const stream = this.#streams[name];
    const isOld = isExact && nowMs - stream.pendingSinceMs > JOIN_MS;
    if (stream.pendingBytes > 0 && (isOld || stream.pendingBytes >= JOIN_BYTES)) this.#flush(stream);
  }

  #flush(stream: StreamWriter): void {
    if (stream.pendingBytes === 0) return;
    this.#record(KINDS[stream.name], stream.pendingBytes, stream.pendingSinceMs);
    stream.pendingBytes = 0;
  }

  #tellCut(stream: StreamWriter, nowMs: number): void {
    this.#flush(stream);
    this.#record(
      stream.name === "stdout" ? KINDS.stdoutCut : KINDS.stderrCut,
      stream.dropped - stream.droppedTold,
      nowMs,
    );
    stream.droppedTold = stream.dropped;
  }

  #record(kind: number, length: number, atMs: number): void {
    this.#index ??= createFile(this.#indexPath);
    this.#index.writeSync(encodeRecord(kind, length, atMs));
    this.#indexBytes += RECORD_BYTES;
  }
}

function createFile(path: string): Deno.FsFile {
  return Deno.openSync(path, { write: true, create: true, truncate: true });
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** What the lower part of a length counts to. */
const LOWER = 2 ** 32;

function encodeRecord(kind: number, length: number, atMs: number): Uint8Array {
  const record = new DataView(new ArrayBuffer(RECORD_BYTES));
  record.setUint32(0, kind + Math.floor(length / LOWER) * 0x100, true);
  record.setUint32(4, length % LOWER, true);
  record.setFloat64(8, atMs, true);
  return new Uint8Array(record.buffer);
}

/** Says in the index that nothing follows, for a writer that died. Harmless when it is there already. */
export function endLogs(folder: string, atMs: number): void {
  using file = Deno.openSync(`${folder}/log.index`, { write: true, create: true, read: true });
  const size = file.statSync().size;
  file.seekSync(size - (size % RECORD_BYTES), Deno.SeekMode.Start);
  file.writeSync(encodeRecord(KINDS.end, 0, atMs));
}

/** How far a reader has come: plain data, to be kept or sent. Begin with `LOG_START`. */
export interface LogCursor {
  /** Bytes delivered of each stream. */
  readonly stdoutOffset: number;
  readonly stderrOffset: number;
  /** Bytes of the index whose records are delivered in full. */
  readonly indexOffset: number;
  /** Bytes of each stream that those records tell of. */
  readonly stdoutIndexed: number;
  readonly stderrIndexed: number;
}

/** The beginning of an execution's logs. */
export const LOG_START: LogCursor = {
  stdoutOffset: 0,
  stderrOffset: 0,
  indexOffset: 0,
  stdoutIndexed: 0,
  stderrIndexed: 0,
};

/** A piece of one stream. Never ends inside a UTF-8 character, unless the output itself does. */
export interface LogRecord {
  readonly stream: LogStream;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** When it was written (for joined writes the first of them). */
  readonly atMs: number;
}

/** What `readLogs` found. */
export interface LogPage {
  /** In the order in which they were written. */
  readonly records: readonly LogRecord[];
  /** Where to go on. */
  readonly cursor: LogCursor;
  /** Bytes of each stream that were beyond its bound and are not kept, beside those that earlier pages told of. */
  readonly droppedBytes: { readonly stdout: number; readonly stderr: number };
  /** The task has ended and this page holds the last of its output. */
  readonly isComplete: boolean;
}

/**
 * The next part of an execution's logs, about `maxBytes` of it. Missing files read as empty, a torn index is used as far
 * as it goes, and bytes that it does not tell of come last. Without new output, `records` is empty and `cursor` the same.
 */
export async function readLogs(folder: string, cursor: LogCursor, maxBytes: number): Promise<LogPage> {
  // The index first: the streams, read after it, hold at least what it tells of.
  const index = await readIndex(folder, cursor.indexOffset);
  await using stdout = await openStream(folder, "stdout", cursor.stdoutOffset, cursor.stdoutIndexed);
  await using stderr = await openStream(folder, "stderr", cursor.stderrOffset, cursor.stderrIndexed);
  const streams = { stdout, stderr };
  const page = new PageBuilder(maxBytes);
  const dropped = { stdout: 0, stderr: 0 };
  let indexOffset = cursor.indexOffset;
  let isEnded = false;
  let isIndexDone = index.length < INDEX_PAGE_RECORDS;
  for (const record of index) {
    // The end record is read again each time: it is what tells that the end was reached.
    isEnded = record.kind === KINDS.end;
    if (isEnded) isIndexDone = true;
    if (isEnded) break;
    if (record.kind === KINDS.stdoutCut) dropped.stdout += record.length;
    else if (record.kind === KINDS.stderrCut) dropped.stderr += record.length;
    else {
      const stream = streams[record.kind === KINDS.stdout ? "stdout" : "stderr"];
      const end = stream.indexed + record.length;
      await page.add(stream, end, { atMs: record.atMs, isWhole: false });
      isIndexDone &&= stream.offset >= Math.min(end, stream.size) - 3;
      if (!isIndexDone && page.isFull) break;
      stream.indexed = end;
    }
    indexOffset += RECORD_BYTES;
  }
  if (isIndexDone) {
    for (const stream of [stdout, stderr]) {
      await page.add(stream, stream.size, { atMs: stream.modifiedAtMs, isWhole: isEnded });
    }
  }
  const isComplete = isEnded && isIndexDone && stdout.offset >= stdout.size && stderr.offset >= stderr.size;
  return {
    records: page.records,
    cursor: {
      stdoutOffset: stdout.offset,
      stderrOffset: stderr.offset,
      indexOffset,
      stdoutIndexed: stdout.indexed,
      stderrIndexed: stderr.indexed,
    },
    droppedBytes: dropped,
    isComplete,
  };
}

interface IndexRecord {
  readonly kind: number;
  readonly length: number;
  readonly atMs: number;
}

/** Records of the index read at once: 64 KiB of it. More come with the next page. */
const INDEX_PAGE_RECORDS = 4096;

async function readIndex(folder: string, from: number): Promise<IndexRecord[]> {
  return parseIndex(await readPart(`${folder}/log.index`, from, INDEX_PAGE_RECORDS * RECORD_BYTES));
}

function readIndexSync(path: string): IndexRecord[] {
  try {
    return parseIndex(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function parseIndex(bytes: Uint8Array<ArrayBuffer>): IndexRecord[] {
  const records: IndexRecord[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    const kind = view.getUint8(at);
    if (kind < KINDS.stdout || kind > KINDS.end) break;
    records.push({ kind, length: lengthAt(view, at), atMs: view.getFloat64(at + 8, true) });
  }
  return records;
}

function lengthAt(view: DataView, at: number): number {
  return (view.getUint32(at, true) >>> 8) * LOWER + view.getUint32(at + 4, true);
}

async function readPart(path: string, from: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    using file = await Deno.open(path);
    await file.seek(from, Deno.SeekMode.Start);
    return await readFull(file, length);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Uint8Array();
    throw error;
  }
}

async function readFull(file: Deno.FsFile, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = await file.read(bytes.subarray(done));
    if (count === null) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

/** A stream as a reader goes through it. */
class StreamReader implements AsyncDisposable {
  constructor(
    readonly name: LogStream,
    readonly file: Deno.FsFile | undefined,
    readonly size: number,
    readonly modifiedAtMs: number,
    public offset: number,
    public indexed: number,
  ) {}

  [Symbol.asyncDispose](): Promise<void> {
    this.file?.close();
    return Promise.resolve();
  }
}

async function openStream(
  folder: string,
  name: LogStream,
  offset: number,
  indexed: number,
): Promise<StreamReader> {
  try {
    const file = await Deno.open(`${folder}/${name}`);
    const info = await file.stat();
    return new StreamReader(name, file, info.size, info.mtime?.getTime() ?? 0, offset, indexed);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return new StreamReader(name, undefined, 0, 0, offset, indexed);
    }
    throw error;
  }
}

/** Collects records until the page is full. */
class PageBuilder {
  readonly records: LogRecord[] = [];
  #room: number;

  constructor(maxBytes: number) {
    this.#room = Math.max(maxBytes, 16);
  }

  get isFull(): boolean {
    return this.#room <= 0;
  }

  /** Takes the stream's bytes up to `end`, or as many as there is room for. */
  async add(stream: StreamReader, end: number, how: { atMs: number; isWhole: boolean }): Promise<void> {
    const length = Math.min(end, stream.size) - stream.offset;
    if (length <= 0 || stream.file === undefined || this.isFull) return;
    const wanted = Math.min(length, this.#room);
    await stream.file.seek(stream.offset, Deno.SeekMode.Start);
    const found = await readFull(stream.file, wanted);
    const isLast = how.isWhole && wanted === length;
    const bytes = isLast ? found : found.subarray(0, found.length - danglingUtf8(found));
    if (wanted < length) this.#room = 0;
    if (bytes.length === 0) return;
    this.#room -= bytes.length;
    stream.offset += bytes.length;
    this.records.push({ stream: stream.name, bytes, atMs: how.atMs });
  }
}

/** How many bytes at the end are the beginning of a UTF-8 character that is not complete: 0 to 3. */
export function danglingUtf8(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const need = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return need > back && byte < 0xf8 ? back : 0;
  }
  return 0;
}
