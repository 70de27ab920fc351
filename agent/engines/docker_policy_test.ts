import { deepStrictEqual as assertEquals, match, ok } from "node:assert";
import { parseDockerParams } from "./docker_params.ts";
import { DEFAULT_CAPABILITIES, type DockerPolicy, grantBy, POLICY_DEFAULT } from "./docker_policy.ts";

type Network = Parameters<typeof grantBy>[1]["network"]["type"];

function grant(
  params: Record<string, unknown>,
  policy: Partial<DockerPolicy> = {},
  type: Network = "default",
  absent: Parameters<typeof grantBy>[2] = {},
) {
  return grantBy({ ...POLICY_DEFAULT, ...policy }, {
    params: parseDockerParams({ Image: "a", ...params }),
    network: { type, domains: [] },
  }, absent);
}

Deno.test("as shipped a task gets what ordinary images need, and no network", () => {
  assertEquals(grant({}), {
    profile: "default",
    capabilities: DEFAULT_CAPABILITIES,
    network: "none",
    pull: "missing",
  });
  assertEquals(grant({ Profile: "strict", Pull: "never" }), {
    profile: "strict",
    capabilities: [],
    network: "none",
    pull: "never",
  });
});

Deno.test("a task gets more where the owner allows it, and is refused with the reason where not", () => {
  const refusals: [ReturnType<typeof grant>, RegExp][] = [
    [grant({ Capabilities: ["NET_RAW"] }), /capability NET_RAW/],
    [grant({ Profile: "default" }, { profile: "strict" }), /less than the profile "strict"/],
    [grant({ Profile: "strict", Capabilities: ["CHOWN"] }), /capability CHOWN/],
    [grant({}, {}, "host"), /network "host"/],
    [grant({}, {}, "full"), /network "host"/],
    [grant({}, { networks: ["none"] }, "http"), /does not give containers the network "http"/],
    [grant({}, {}, "http", { http: "it needs root" }), /does not have the network "http": it needs root/],
    [grant({}, { networks: ["none"] }, "bridge"), /network "bridge"/],
  ];
  for (const [answer, message] of refusals) {
    ok("code" in answer, JSON.stringify(answer));
    match(answer.message, message);
    ok(answer.hint);
  }
  const more = grant({ Capabilities: ["NET_RAW", "CHOWN"] }, { capabilities: ["NET_RAW"] }, "bridge");
  ok(!("code" in more));
  assertEquals([more.network, more.capabilities], ["bridge", [...DEFAULT_CAPABILITIES, "NET_RAW"]]);
});

Deno.test("the owner's choice is for those who do not say", () => {
  const answer = grant({}, { defaultNetwork: "bridge", profile: "strict", pull: "always" });
  assertEquals(answer, { profile: "strict", capabilities: [], network: "bridge", pull: "always" });
});
