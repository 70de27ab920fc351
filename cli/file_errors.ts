/** What the system says when a file cannot be used, in words for people. */

const BY_CLASS: readonly [new (...args: never[]) => Error, string][] = [
  [Deno.errors.NotFound, "there is no such file or folder"],
  [Deno.errors.IsADirectory, "it is a folder"],
  [Deno.errors.AlreadyExists, "there is a file in its place"],
  [Deno.errors.NotADirectory, "a part of its path is a file, not a folder"],
  [Deno.errors.PermissionDenied, "permission denied"],
];
const BY_TEXT: readonly [RegExp, string][] = [
  [/os error (28|122)\)/, "the disk is full"],
  [/os error 30\)/, "the disk is read-only"],
  [/os error 36\)/, "its name is too long"],
];

/** Completes `Cannot read FILE: …`. What is not known keeps the system's own words, without numbers and calls. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const found = BY_CLASS.find(([kind]) => error instanceof kind)?.[1] ??
    BY_TEXT.find(([pattern]) => pattern.test(text))?.[1];
  return found ?? text.replace(/\s*\(os error \d+\).*/s, "");
}
