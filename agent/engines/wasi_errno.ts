/** Errors of the host as the numbers that a WASI module understands. */
import { wasi } from "@bjorn3/browser_wasi_shim";

/** A call of the module is answered with this number. Thrown and caught within the WASI files only. */
export class WasiError extends Error {
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

const BY_CODE: Readonly<Record<string, number>> = {
  EACCES: wasi.ERRNO_ACCES,
  EAGAIN: wasi.ERRNO_AGAIN,
  EBADF: wasi.ERRNO_BADF,
  EBUSY: wasi.ERRNO_BUSY,
  EDQUOT: wasi.ERRNO_DQUOT,
  EEXIST: wasi.ERRNO_EXIST,
  EFBIG: wasi.ERRNO_FBIG,
  EINVAL: wasi.ERRNO_INVAL,
  EIO: wasi.ERRNO_IO,
  EISDIR: wasi.ERRNO_ISDIR,
  ELOOP: wasi.ERRNO_LOOP,
  EMFILE: wasi.ERRNO_MFILE,
  EMLINK: wasi.ERRNO_MLINK,
  ENAMETOOLONG: wasi.ERRNO_NAMETOOLONG,
  ENFILE: wasi.ERRNO_NFILE,
  ENOENT: wasi.ERRNO_NOENT,
  ENOSPC: wasi.ERRNO_NOSPC,
  ENOTDIR: wasi.ERRNO_NOTDIR,
  ENOTEMPTY: wasi.ERRNO_NOTEMPTY,
  ENXIO: wasi.ERRNO_NXIO,
  EPERM: wasi.ERRNO_PERM,
  EROFS: wasi.ERRNO_ROFS,
  ESPIPE: wasi.ERRNO_SPIPE,
  ETXTBSY: wasi.ERRNO_TXTBSY,
  EXDEV: wasi.ERRNO_XDEV,
};

/** The number for an error of the host; what is not an error of the system is thrown on. */
export function errnoOf(error: unknown): number {
  if (error instanceof WasiError) return error.errno;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string" && BY_CODE[code] !== undefined) return BY_CODE[code];
  if (error instanceof Deno.errors.NotFound) return wasi.ERRNO_NOENT;
  if (error instanceof Deno.errors.PermissionDenied) return wasi.ERRNO_ACCES;
  if (error instanceof Deno.errors.NotCapable) return wasi.ERRNO_NOTCAPABLE;
  if (error instanceof Deno.errors.AlreadyExists) return wasi.ERRNO_EXIST;
  if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return wasi.ERRNO_IO;
  throw error;
}

/** Runs a call on the host's files and answers with its number, 0 when it went well. */
export function answer(call: () => void): number {
  try {
    call();
    return wasi.ERRNO_SUCCESS;
  } catch (error) {
    return errnoOf(error);
  }
}
