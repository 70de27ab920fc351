/** Flags that every command understands, before or after its words. */
import { text, toggle } from "./flags.ts";

/** Understood before and after the words of every command. */
export const GLOBAL_FLAGS = {
  api: text({ placeholder: "URL", summary: "Where the server is (default: http://127.0.0.1:1234)" }),
  apiTimeout: text({ placeholder: "DURATION", summary: "How long one request may take (default: 10s)" }),
  config: text({ placeholder: "FILE", summary: "Config file to use", completes: "file" }),
  color: toggle({ summary: "Colours on a terminal", initial: true }),
};
