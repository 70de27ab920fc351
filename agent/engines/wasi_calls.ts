/**
 * The functions of WASI preview 1 as a module imports them: those of `@bjorn3/browser_wasi_shim`, with pointers made
 * unsigned and bad ones answered with EFAULT, and with our own where the library's are missing or not exact.
 */
import { type Fd, WASI, wasi, WASIProcExit } from "@bjorn3/browser_wasi_shim";
import { errnoOf, WasiError } from "./wasi_errno.ts";
import { HostFile } from "./wasi_files.ts";
import { folderOf } from "./wasi_folder.ts";
import { DESCRIPTORS_MAX } from "./wasm_limits.ts";

/** The name under which modules import WASI preview 1. */
export const WASI_MODULE = "wasi_snapshot_preview1";

// deno-lint-ignore no-explicit-any -- the arguments of WASI functions are numbers and bigints, by position
type WasiFunction = (...args: any[]) => number | void;

/** What all modules of one execution share. */
export interface WasiContext {
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  /** By descriptor; 0 to 2 are the standard streams, 3 the root of the tree. */
  readonly fds: Fd[];
}

/** The functions for one instance. `bind` gives them its memory, once it is there. */
export interface WasiBinding {
  readonly imports: WebAssembly.ModuleImports;
  bind(memory: WebAssembly.Memory | undefined): void;
}

/** Makes the functions for one instance. `proc_exit` throws the library's `WASIProcExit`. */
export function wasiFor(context: WasiContext): WasiBinding {
  // Not a real one: each reserves gigabytes of address space, which takes longer than running a small module.
  const empty = { buffer: new ArrayBuffer(0) } as WebAssembly.Memory;
  const library = new WASI([...context.args], [...context.env], context.fds, { debug: false });
  const exports = { memory: empty, _start: () => undefined };
  library.inst = { exports };
  const caller = new Caller(exports, context.fds);
  const own = { ...processCalls(caller, context), ...fileCalls(caller, library.wasiImport) };
  const calls = { ...library.wasiImport, ...own };
  const imports: WebAssembly.ModuleImports = {};
  for (const [name, call] of Object.entries(calls)) imports[name] = guarded(call as WasiFunction);
  return {
    imports,
    bind(memory) {
      if (memory !== undefined) exports.memory = memory;
    },
  };
}

/** Pointers and lengths come as signed numbers; a pointer beyond the memory shows as a RangeError. */
function guarded(call: WasiFunction): WasiFunction {
  return (...args) => {
    for (let i = 0; i < args.length; i++) if (typeof args[i] === "number") args[i] >>>= 0;
    try {
      return call(...args) ?? wasi.ERRNO_SUCCESS;
    } catch (error) {
      const isPointer = error instanceof RangeError && !error.message.includes("call stack");
      if (isPointer) return wasi.ERRNO_FAULT;
      return errnoOf(error);
    }
  };
}

/** What the functions of one instance work on. */
class Caller {
  readonly #exports: { memory: WebAssembly.Memory };
  readonly fds: Fd[];

  constructor(exports: { memory: WebAssembly.Memory }, fds: Fd[]) {
    this.#exports = exports;
    this.fds = fds;
  }

  get buffer(): ArrayBufferLike {
    return this.#exports.memory.buffer;
  }

  view(): DataView {
    return new DataView(this.buffer);
  }

  text(at: number, length: number): string {
    return decode(this.#exports.memory, at, length);
  }

  fdOf(fd: number): Fd {
    const found = this.fds[fd];
    if (found === undefined) throw new WasiError(wasi.ERRNO_BADF);
    return found;
  }
}

type Library = Readonly<Record<string, (...args: unknown[]) => unknown>>;

/** Arguments, clocks, randomness and the rest that is not about files. */
function processCalls(caller: Caller, context: WasiContext): Record<string, WasiFunction> {
  const args = context.args.map((arg) => new TextEncoder().encode(`${arg}\0`));
  const notSupported = () => wasi.ERRNO_NOTSUP;
  return {
    args_sizes_get(countAt, sizeAt) {
      caller.view().setUint32(countAt, args.length, true);
      caller.view().setUint32(sizeAt, args.reduce((sum, arg) => sum + arg.length, 0), true);
    },
    args_get(pointersAt, bufferAt) {
      let at = bufferAt;
      for (const [i, arg] of args.entries()) {
        caller.view().setUint32(pointersAt + 4 * i, at, true);
        new Uint8Array(caller.buffer).set(arg, at);
        at += arg.length;
      }
    },
    clock_res_get(id, at) {
      if (id > wasi.CLOCKID_THREAD_CPUTIME_ID) return wasi.ERRNO_INVAL;
      caller.view().setBigUint64(at, 1000n, true);
    },
    clock_time_get(id, _precision, at) {
      if (id > wasi.CLOCKID_THREAD_CPUTIME_ID) return wasi.ERRNO_INVAL;
      caller.view().setBigUint64(at, nowNanos(id), true);
    },
    random_get(at, length) {
      const bytes = new Uint8Array(caller.buffer);
      if (at + length > bytes.length) return wasi.ERRNO_FAULT;
      const chunk = new Uint8Array(Math.min(length, 65_536));
      for (let done = 0; done < length; done += chunk.length) {
        crypto.getRandomValues(chunk);
        bytes.set(chunk.subarray(0, Math.min(chunk.length, length - done)), at + done);
      }
    },
    poll_oneoff: (inAt, outAt, count, eventsAt) =>
      poll({ view: caller.view(), fds: caller.fds, inAt, outAt, count, eventsAt }),
    proc_exit(code) {
      throw new WASIProcExit(code);
    },
    proc_raise: notSupported,
    sched_yield: () => wasi.ERRNO_SUCCESS,
    sock_accept: notSupported,
    sock_recv: notSupported,
    sock_send: notSupported,
    sock_shutdown: notSupported,
  };
}

/** Descriptors and paths. */
function fileCalls(caller: Caller, library: Library): Record<string, WasiFunction> {
  return {
    fd_read(fd, vectorsAt, vectorCount, countAt) {
      const file = caller.fdOf(fd);
      const { buffer } = caller;
      if (!(file instanceof HostFile) || !(buffer instanceof ArrayBuffer)) {
        return library.fd_read!(fd, vectorsAt, vectorCount, countAt) as number;
      }
      const memory = caller.view();
      let count = 0;
      for (let i = 0; i < vectorCount; i++) {
        const length = memory.getUint32(vectorsAt + 8 * i + 4, true);
        const got = file.readInto(new Uint8Array(buffer, memory.getUint32(vectorsAt + 8 * i, true), length));
        count += got;
        if (got < length) break;
      }
      memory.setUint32(countAt, count, true);
    },
    fd_renumber(from, to) {
      const moved = caller.fdOf(from);
      if (from === to) return;
      caller.fdOf(to).fd_close();
      caller.fds[to] = moved;
      delete caller.fds[from];
    },
    path_open(fd, dirflags, pathAt, pathLength, oflags, rights, inheriting, flags, fdAt) {
      const free = freeDescriptor(caller.fds);
      caller.view().setUint32(fdAt, 0, true);
      const opened = caller.fdOf(fd).path_open(
        dirflags,
        caller.text(pathAt, pathLength),
        oflags,
        rights,
        inheriting,
        flags,
      );
      if (opened.fd_obj === null) return opened.ret;
      caller.fds[free] = opened.fd_obj;
      caller.view().setUint32(fdAt, free, true);
    },
    path_rename(oldFd, oldAt, oldLength, newFd, newAt, newLength) {
      return folderOf(caller.fdOf(oldFd)).rename(
        caller.text(oldAt, oldLength),
        caller.fdOf(newFd),
        caller.text(newAt, newLength),
      );
    },
    path_link(oldFd, flags, oldAt, oldLength, newFd, newAt, newLength) {
      return folderOf(caller.fdOf(oldFd)).link(
        caller.text(oldAt, oldLength),
        (flags & 1) !== 0,
        caller.fdOf(newFd),
        caller.text(newAt, newLength),
      );
    },
    path_symlink(textAt, textLength, fd, pathAt, pathLength) {
      return folderOf(caller.fdOf(fd)).symlink(
        caller.text(textAt, textLength),
        caller.text(pathAt, pathLength),
      );
    },
    path_readlink(fd, pathAt, pathLength, bufferAt, bufferLength, usedAt) {
      const { ret, data } = caller.fdOf(fd).path_readlink(caller.text(pathAt, pathLength));
      if (data === null) return ret;
      const bytes = new TextEncoder().encode(data).subarray(0, bufferLength);
      new Uint8Array(caller.buffer).set(bytes, bufferAt);
      caller.view().setUint32(usedAt, bytes.length, true);
    },
  };
}

function decode(memory: WebAssembly.Memory, at: number, length: number): string {
  const bytes = new Uint8Array(memory.buffer);
  if (at + length > bytes.length) throw new WasiError(wasi.ERRNO_FAULT);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.slice(at, at + length));
  } catch {
    throw new WasiError(wasi.ERRNO_ILSEQ);
  }
}

function freeDescriptor(fds: readonly (Fd | undefined)[]): number {
  for (let fd = 3; fd < DESCRIPTORS_MAX; fd++) if (fds[fd] === undefined) return fd;
  throw new WasiError(wasi.ERRNO_MFILE);
}

/** Nanoseconds of a clock. CPU time is taken for time: a module has its thread for itself. */
function nowNanos(clockId: number): bigint {
  const ms = clockId === wasi.CLOCKID_REALTIME
    ? performance.timeOrigin + performance.now()
    : performance.now();
  return BigInt(Math.round(ms * 1000)) * 1000n;
}

const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;

interface Poll {
  readonly view: DataView;
  readonly fds: readonly (Fd | undefined)[];
  readonly inAt: number;
  readonly outAt: number;
  readonly count: number;
  readonly eventsAt: number;
}

/** Waits for a clock. Files and standard streams are always ready, so any of them ends the waiting at once. */
function poll(call: Poll): number {
  if (call.count === 0) return wasi.ERRNO_INVAL;
  const subscriptions = [...readSubscriptions(call)];
  let earliest: bigint | undefined;
  for (const { due } of subscriptions) {
    if (due === undefined) earliest = 0n;
    else if (earliest === undefined || due < earliest) earliest = due;
  }
  sleepUntil(earliest ?? 0n);
  const nowMono = nowNanos(wasi.CLOCKID_MONOTONIC);
  let events = 0;
  for (const { at, due, errno } of subscriptions) {
    if (due !== undefined && due > nowMono) continue;
    const out = call.outAt + events * EVENT_BYTES;
    const userdata = call.view.getBigUint64(at, true);
    const type = call.view.getUint8(at + 8);
    for (let i = 0; i < EVENT_BYTES; i++) call.view.setUint8(out + i, 0);
    call.view.setBigUint64(out, userdata, true);
    call.view.setUint16(out + 8, errno, true);
    call.view.setUint8(out + 10, type);
    if (type !== wasi.EVENTTYPE_CLOCK) call.view.setBigUint64(out + 16, 1n, true);
    events++;
  }
  call.view.setUint32(call.eventsAt, events, true);
  return wasi.ERRNO_SUCCESS;
}

/** Each subscription with the monotonic time at which it is due; without one it is ready now. */
function* readSubscriptions(call: Poll): Generator<{ at: number; due: bigint | undefined; errno: number }> {
  for (let i = 0; i < call.count; i++) {
    const at = call.inAt + i * SUBSCRIPTION_BYTES;
    const type = call.view.getUint8(at + 8);
    if (type === wasi.EVENTTYPE_CLOCK) {
      const clockId = call.view.getUint32(at + 16, true);
      const timeout = call.view.getBigUint64(at + 24, true);
      const isAbsolute = (call.view.getUint16(at + 40, true) & 1) !== 0;
      const isKnown = clockId <= wasi.CLOCKID_THREAD_CPUTIME_ID;
      const nowMono = nowNanos(wasi.CLOCKID_MONOTONIC);
      const due = isAbsolute ? nowMono + timeout - nowNanos(clockId) : nowMono + timeout;
      yield { at, due: isKnown ? due : undefined, errno: isKnown ? 0 : wasi.ERRNO_INVAL };
    } else {
      const isOpen = call.fds[call.view.getUint32(at + 16, true)] !== undefined;
      yield { at, due: undefined, errno: isOpen ? 0 : wasi.ERRNO_BADF };
    }
  }
}

const SLEEPER = new Int32Array(new SharedArrayBuffer(4));
/** One wait of the host; longer ones are repeated. */
const SLEEP_MS_MAX = 60_000;

function sleepUntil(dueNanos: bigint): void {
  for (;;) {
    const leftMs = Number(dueNanos - nowNanos(wasi.CLOCKID_MONOTONIC)) / 1e6;
    if (leftMs <= 0) return;
    Atomics.wait(SLEEPER, 0, 0, Math.min(leftMs, SLEEP_MS_MAX));
  }
}
