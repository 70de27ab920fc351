/** Bounds of the engine `wasm`: each with its reason, and what happens there. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** A page of WebAssembly memory, fixed by its specification. */
export const WASM_PAGE_BYTES = 64 * KIB;

/** Pages that a 32-bit memory can have; a larger job limit means this one. */
export const WASM_PAGES_MAX = 65_536;

/** Memory of a task that names none: Bacalhau's fallback on a compute node. */
export const MEMORY_DEFAULT_BYTES = 100 * MIB;

/** Files, folders and links that one task may make: so that empty files do not use up the disk's inodes. */
export const DISK_ENTRIES_MAX = 200_000;

/** What a table element costs in V8 while a table grows (32 bytes, and the old copy); sets the maxima of tables. */
export const TABLE_ELEMENT_BYTES = 64;

/** Elements that V8 allows in a table. */
export const TABLE_ELEMENTS_MAX = 10_000_000;

/** Largest module file; compiling needs many times its size. Beyond it, the module is refused. */
export const MODULE_BYTES_MAX = 256 * MIB;

/** Modules that one execution may bring along, found by name or listed. */
export const IMPORT_MODULES_MAX = 64;

/** Compiled modules that a child keeps, counted by the size of their files. The least recently used one goes. */
export const MODULE_CACHE_BYTES = 64 * MIB;
/** And by number. */
export const MODULE_CACHE_COUNT = 64;

/** Resident bytes that a child may hold beyond its idle size and the job's limit: compiled code, buffers, V8 itself. */
export const RESIDENT_ALLOWANCE_BYTES = 128 * MIB;

/** A child that is larger than this by so much after a task ends instead of waiting for the next one. */
export const RESIDENT_RECYCLE_BYTES = 64 * MIB;

/** How often a child looks at its resident size: a module writes about 100 MiB in that time. */
export const RESIDENT_CHECK_MS = 50;

/** Descriptors that a module may hold open, as `ulimit -n` on most systems. Beyond it, "too many open files". */
export const DESCRIPTORS_MAX = 1024;

/** Symbolic links followed for one path, as Linux does. */
export const LINKS_FOLLOWED_MAX = 40;

/** Frames of a trap's backtrace that go to stderr. */
export const TRAP_FRAMES_MAX = 20;

/** Longest line between agent and child: a task with its environment and arguments. */
export const LINE_BYTES_MAX = 16 * MIB;

/** Kept of each of stdout and stderr for a task that names no bound. */
export const LOG_DEFAULT_BYTES = 16 * MIB;
