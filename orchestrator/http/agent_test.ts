import { deepEqual } from "node:assert/strict";
import { masked } from "./agent.ts";

Deno.test("masked() hides what stands behind secret names, at any depth, and leaves the rest", () => {
  const config = {
    api: { port: 1234, Token: "x", password: "", keys: [{ apiKey: "y", name: "z" }] },
    "orchestrator.auth.token": "t",
    SECRETS: ["a", "b"],
    credentials: { user: "u", PrivateKey: 5 },
    empty: null,
  };
  deepEqual(masked(config), {
    api: { port: 1234, Token: "********", password: "", keys: [{ apiKey: "********", name: "z" }] },
    "orchestrator.auth.token": "********",
    SECRETS: ["********", "********"],
    credentials: { user: "u", PrivateKey: "********" },
    empty: null,
  });
});
