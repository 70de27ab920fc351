import { deepEqual } from "node:assert/strict";
import { reachedPackages } from "./compile.ts";

Deno.test("reachedPackages() follows dependencies, also in circles, and leaves out what nothing imports", () => {
  const npmPackages = {
    "a@1.0.0_b@2.0.0": { name: "a", version: "1.0.0", dependencies: ["b@2.0.0"] },
    "b@2.0.0": { name: "b", version: "2.0.0", dependencies: ["a@1.0.0_b@2.0.0"] },
    "@scope/c@3.0.0": { name: "@scope/c", version: "3.0.0", dependencies: [] },
    "d@4.0.0": { name: "d", version: "4.0.0", dependencies: [] },
  };
  const first = { modules: [{ kind: "esm" }, { kind: "npm", npmPackage: "a@1.0.0_b@2.0.0" }], npmPackages };
  const second = { modules: [{ kind: "npm", npmPackage: "@scope/c@3.0.0" }], npmPackages };
  deepEqual([...reachedPackages([first, second])].sort(), ["@scope/c@3.0.0", "a@1.0.0", "b@2.0.0"]);
  deepEqual([...reachedPackages([{ modules: [{ kind: "esm" }] }])], []);
});
