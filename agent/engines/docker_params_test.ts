import { deepStrictEqual as assertEquals, throws } from "node:assert";
import { parseDockerParams } from "./docker_params.ts";

Deno.test("parameters are read in any casing, and empty ones are as if they were not there", () => {
  assertEquals(parseDockerParams({ Image: "alpine" }), {
    image: "alpine",
    entrypoint: undefined,
    parameters: [],
    environment: [],
    workingDirectory: undefined,
    user: undefined,
    profile: undefined,
    capabilities: [],
    hasInit: false,
    platform: undefined,
    pull: undefined,
  });
  const read = parseDockerParams({
    image: "registry.example:5000/team/app:1.2@sha256:" + "a".repeat(64),
    ENTRYPOINT: [],
    parameters: ["a", ""],
    environmentVariables: ["A=b=c", "B="],
    WorkingDirectory: "/srv",
    User: 1000,
    Profile: "Strict",
    Capabilities: ["cap_net_raw", "SYS_PTRACE"],
    Pull: "always",
    Platform: "linux/aarch64/v8",
    Init: true,
  });
  assertEquals(read.entrypoint, undefined);
  assertEquals([read.parameters, read.environment], [["a", ""], ["A=b=c", "B="]]);
  assertEquals([read.user, read.profile, read.pull], ["1000", "strict", "always"]);
  assertEquals([read.platform, read.hasInit], ["linux/arm64", true]);
  assertEquals(read.capabilities, ["NET_RAW", "SYS_PTRACE"]);
});

Deno.test("what cannot be right is named", () => {
  const bad: [Record<string, unknown>, RegExp][] = [
    [{}, /Image must be the name of an image/],
    [{ Image: "Upper/Case" }, /in lower case, current value is "Upper\/Case"/],
    [{ Image: "a:b:c" }, /Image must be written as/],
    [{ Image: "a", Parameters: "x" }, /Parameters must be a list of strings, such as/],
    [{ Image: "a", Parameters: ["x\0"] }, /Parameters\[0\] must not contain the character NUL/],
    [{ Image: "a", EnvironmentVariables: ["A"] }, /EnvironmentVariables\[0\] must be written as KEY=VALUE/],
    [{ Image: "a", WorkingDirectory: "srv" }, /WorkingDirectory must be an absolute path/],
    [{ Image: "a", User: "a b" }, /User must be written as USER or USER:GROUP/],
    [{ Image: "a", Profile: "loose" }, /Profile must be one of default, strict/],
    [{ Image: "a", Pull: "sometimes" }, /Pull must be one of missing, always, never/],
    [{ Image: "a", Capabilities: ["net raw"] }, /Capabilities\[0\] must be a name such as NET_RAW/],
    [{ Image: "a", Platform: "arm64" }, /Platform must be written as OS\/ARCH/],
    [{ Image: "a", Paramaters: [] }, /did you mean "Parameters"/],
    [{ Image: "a", Init: "yes" }, /Init must be true or false/],
    [{ Image: "a", Privileged: true }, /Privileged is not a known field/],
  ];
  for (const [params, message] of bad) throws(() => parseDockerParams(params), message);
});
