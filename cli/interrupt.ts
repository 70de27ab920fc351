/** Ctrl-C while a command waits. */

/** Aborted by the first Ctrl-C; disposing it gives Ctrl-C its usual meaning back. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
}

/** Takes Ctrl-C over. */
export function onInterrupt(): Interrupt {
  const controller = new AbortController();
  const listen = () => controller.abort(new DOMException("interrupted", "AbortError"));
  Deno.addSignalListener("SIGINT", listen);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => Deno.removeSignalListener("SIGINT", listen),
  };
}

/** Resolves after the time, or at once when aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
