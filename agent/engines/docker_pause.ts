/**
 * An image with one program that does nothing: the container that keeps a network alive before the task's own container
 * joins it. The program is so small that it is written here as bytes: no registry is needed, and nothing is to be compiled.
 */
import { type DockerClient, isMissing } from "./docker_client.ts";

const REPO = "skerry-pause";
const TAG = "1";
/** Its name on the node. */
export const PAUSE_IMAGE = `${REPO}:${TAG}`;
/** Its program. */
export const PAUSE_PROGRAM = "/pause";

/** ELF machine and code. Both loop for ever over a system call that waits for a signal. */
const PROGRAMS: Readonly<Record<string, { machine: number; code: readonly number[] }>> = {
  amd64: {
    machine: 62,
    code: [
      ...[0xb8, 0x22, 0x00, 0x00, 0x00], // mov eax, 34 (pause)
      ...[0x0f, 0x05], // syscall
      ...[0xeb, 0xf7], // jmp to the first
    ],
  },
  arm64: {
    machine: 183,
    code: words([
      0xd2800928, // mov x8, 73 (ppoll)
      ...[0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003], // mov x0…x3, 0
      0xd4000001, // svc 0
      0x17fffffa, // b to the first
    ]),
  },
};

/** Whether the program exists for an architecture, in Docker's names. */
export const hasPause = (arch: string): boolean => Object.hasOwn(PROGRAMS, arch);

/** Calls `create`; when the daemon does not have the image, gives it to the daemon and calls again. */
export async function withPauseImage<Result>(
  client: DockerClient,
  arch: string,
  create: () => Promise<Result>,
): Promise<Result> {
  try {
    return await create();
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const { packTar } = await import("modern-tar");
  const program = pauseProgram(arch);
  const header = { name: PAUSE_PROGRAM.slice(1), size: program.length, mode: 0o755 };
  const body = await packTar([{ header, body: program }]) as Uint8Array<ArrayBuffer>;
  const stream = await client.stream("POST", "/images/create", {
    query: { fromSrc: "-", repo: REPO, tag: TAG, message: "Keeps a network alive for Skerry" },
    body,
  });
  await stream.pipeTo(new WritableStream());
  return await create();
}

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const LOADED_AT = 0x40_0000n;

/** A static ELF executable of one segment. */
export function pauseProgram(arch: string): Uint8Array {
  const { machine, code } = PROGRAMS[arch]!;
  const begin = HEADER_BYTES + SEGMENT_BYTES;
  const bytes = new Uint8Array(begin + code.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little endian, version 1
  view.setUint16(16, 2, true); // executable
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, LOADED_AT + BigInt(begin), true); // its first instruction
  view.setBigUint64(32, BigInt(HEADER_BYTES), true); // the table of segments
  view.setUint16(52, HEADER_BYTES, true);
  view.setUint16(54, SEGMENT_BYTES, true);
  view.setUint16(56, 1, true);
  view.setUint32(HEADER_BYTES, 1, true); // to be loaded
  view.setUint32(HEADER_BYTES + 4, 5, true); // to be read and run
  view.setBigUint64(HEADER_BYTES + 16, LOADED_AT, true);
  view.setBigUint64(HEADER_BYTES + 24, LOADED_AT, true);
  view.setBigUint64(HEADER_BYTES + 32, BigInt(bytes.length), true);
  view.setBigUint64(HEADER_BYTES + 40, BigInt(bytes.length), true);
  view.setBigUint64(HEADER_BYTES + 48, 0x1000n, true);
  bytes.set(code, begin);
  return bytes;
}

/** Little endian. */
function words(values: readonly number[]): number[] {
  return values.flatMap((value) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]);
}
