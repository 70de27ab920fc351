import assert from "node:assert/strict";
import { unheeded, unusedDockerHost } from "./environment.ts";

Deno.test("variables that look like settings and are none are told, with what may be meant", () => {
  const environment = {
    PATH: "/bin",
    SKERRY_CPU: "2",
    SKERRY_CONFIG: "/c",
    SKERRY_JOB_ID: "j-1",
    SKERRY_PORT_http: "80",
  };
  assert.deepEqual(unheeded(environment), []);
  assert.deepEqual(
    unheeded({ ...environment, SKERRY_DATADIR: "/x", SKERRY_CPUS: "2", SKERRY_DENO: "/usr/bin/deno" }),
    [
      "SKERRY_CPUS is no setting; did you mean SKERRY_CPU?",
      "SKERRY_DATADIR is no setting; did you mean SKERRY_DATA_DIR?",
    ],
  );
});

Deno.test("a DOCKER_HOST of another machine is told of", () => {
  for (const used of [undefined, "", "unix:///run/docker.sock"]) {
    assert.equal(unusedDockerHost(used), undefined);
  }
  assert.match(unusedDockerHost("tcp://10.0.0.1:2375")!, /not used/);
});
