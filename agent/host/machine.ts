/** The machine under the agent: what it is, what it has, how much of its disk is free. */
import { freeBytes, sizeOf } from "../../shared/disk.ts";
import { AppError } from "../../shared/errors.ts";
import type { Resources } from "../../shared/model/resources.ts";
import type { Machine } from "./host.ts";

/** Bytes of the file that is given up when the disk is full: room for the ends of everything that runs. */
const RESERVE_BYTES = 16 * 1024 * 1024;
/** On a small disk, no more than this part of what is free. */
const RESERVE_SHARE = 8;

const OS_NAMES: Readonly<Record<string, string>> = { darwin: "darwin", windows: "windows", linux: "linux" };
/** Architectures as Go, and so Bacalhau, calls them. */
const ARCH_NAMES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/** The machine, with its data in `dataDir`. */
export function openMachine(dataDir: string): Machine {
  const reservePath = `${dataDir}/reserve`;
  return {
    os: OS_NAMES[Deno.build.os] ?? Deno.build.os,
    arch: ARCH_NAMES[Deno.build.arch] ?? Deno.build.arch,
    hostname: Deno.hostname(),
    total: totalOf(dataDir),
    diskFreeBytes: () => freeBytesOf(dataDir),
    isPortFree,
    releaseReserve() {
      try {
        Deno.removeSync(reservePath);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    },
    keepReserve() {
      const bytes = Math.min(RESERVE_BYTES, Math.floor(freeBytesOf(dataDir) / RESERVE_SHARE));
      if (sizeOf(reservePath) >= Math.min(bytes, RESERVE_BYTES / 2)) return;
      try {
        Deno.writeFileSync(reservePath, new Uint8Array(bytes), { mode: 0o600 });
      } catch {
        // The disk filled up meanwhile: what was written of it is in the way.
        Deno.removeSync(reservePath);
      }
    },
  };
}

function isPortFree({ address, port }: { address: string; port: number }): boolean {
  try {
    Deno.listen({ hostname: address, port }).close();
    return true;
  } catch {
    return false;
  }
}

function totalOf(dataDir: string): Resources {
  return {
    cpuMillis: navigator.hardwareConcurrency * 1000,
    memoryBytes: Math.min(Deno.systemMemoryInfo().total, containerMemoryBytes()),
    diskBytes: freeBytesOf(dataDir),
    // Counted device by device: see gpus.ts.
    gpuCount: 0,
  };
}

/** The limit of the container that this process is in, if any. */
function containerMemoryBytes(): number {
  for (const path of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    try {
      const bytes = Number(Deno.readTextFileSync(path));
      if (Number.isFinite(bytes) && bytes > 0) return bytes;
    } catch {
      // Not Linux, or the other version of cgroups.
    }
  }
  return Infinity;
}

function freeBytesOf(path: string): number {
  try {
    return freeBytes(path);
  } catch (cause) {
    throw new AppError("io", `Cannot tell how much of the disk under "${path}" is free`, { cause });
  }
}
