/** The bus of one machine: in process, without a server. Delivers asynchronously and in order, as a network would. */
import { AppError } from "../errors.ts";
import type { Bus, Receiver, Responder } from "./bus.ts";

/** A bus whose peers share this process. */
export function openEmbeddedBus(): Bus {
  const receivers = new Map<string, Set<Receiver>>();
  const responders = new Map<string, Responder>();
  let isOpen = true;

  return {
    publish(subject, bytes) {
      queueMicrotask(() => {
        if (isOpen) { for (const receive of receivers.get(subject) ?? []) receive(bytes); }
      });
    },
    subscribe(subject, receive) {
      const set = receivers.get(subject) ?? new Set();
      receivers.set(subject, set.add(receive));
      return () => set.delete(receive);
    },
    async request(subject, bytes, { timeoutMs }) {
      const respond = responders.get(subject);
      if (!isOpen || respond === undefined) {
        throw new AppError("unavailable", `Cannot reach "${subject}": nobody answers there`, {
          hint: "The node is away or stopping: try again later",
        });
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () =>
            reject(
              new AppError("timed_out", `Cannot get an answer from "${subject}" within ${timeoutMs} ms`),
            ),
          timeoutMs,
        );
      });
      try {
        return await Promise.race([respond(bytes), late]);
      } finally {
        clearTimeout(timer);
      }
    },
    respond(subject, respond) {
      responders.set(subject, respond);
      return () => responders.delete(subject);
    },
    onLink(call) {
      queueMicrotask(() => call(isOpen));
      return () => {};
    },
    close() {
      isOpen = false;
      receivers.clear();
      responders.clear();
      return Promise.resolve();
    },
  };
}
