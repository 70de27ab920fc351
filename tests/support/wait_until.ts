/** Waiting in tests: for something to become true, with a deadline. */

/** Resolves with the first truthy answer; throws with `what` in its message when there is none in time. */
export async function waitUntil<T>(
  what: string,
  ask: () => Promise<T> | T,
  options: { deadlineMs?: number } = {},
): Promise<NonNullable<T>> {
  const { deadlineMs = 10_000 } = options;
  const until = performance.now() + deadlineMs;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (performance.now() > until) throw new Error(`Not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
