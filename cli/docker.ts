/** `skerry docker run` */
import { type Call, defineCommand, type Noun } from "./command.ts";
import { duration, list, text, toggle } from "./flags.ts";
import { JOB_FLAGS, jobOf, withoutEmpty } from "./job_flags.ts";
import { FORMAT_FLAGS } from "./output.ts";
import { parsePort } from "./port_grammar.ts";
import { checkJob, RUN_FLAGS, runJob } from "./submit.ts";

const FLAGS = {
  ...JOB_FLAGS,
  entrypoint: list({ placeholder: "WORD", summary: "Program to start instead of the image's, word by word" }),
  workdir: text({ placeholder: "DIR", short: "w", summary: "Folder in which the program starts" }),
  user: text({ placeholder: "USER", short: "u", summary: "User, or USER:GROUP, in place of the image's" }),
  profile: text({
    placeholder: "PROFILE",
    summary: "How much the container is held back: default, or strict (no capabilities, read-only, not root)",
  }),
  capAdd: list({
    placeholder: "NAME",
    summary: "Capability beyond those of the profile, if the node gives it",
  }),
  platform: text({
    placeholder: "OS/ARCH",
    summary: "Only nodes that run containers of this platform, such as linux/arm64",
  }),
  init: toggle({ summary: "A small init as process 1: it passes signals on and reaps what is left behind" }),
  port: list({
    placeholder: "PORT",
    summary:
      "NAME=TARGET, NAME=PORT:TARGET or NAME=ADDRESS:PORT:TARGET: a port of the node that leads to the container's",
  }),
  pull: text({ placeholder: "POLICY", summary: "When the image is fetched: missing, always or never" }),
  stopSignal: text({
    placeholder: "SIGNAL",
    summary: "What asks the program to end, such as SIGINT (default: what the image says, else SIGTERM)",
  }),
  stopGrace: duration({
    placeholder: "DURATION",
    summary: "Between that signal and the kill (default: 10s)",
  }),
  ...RUN_FLAGS,
  ...FORMAT_FLAGS,
};

const RUN = defineCommand({
  name: "run",
  summary: "Run a container as a job, and wait for its end",
  about:
    "The image is taken from the node, or pulled from its registry. The container has no network unless it asks for one, few " +
    "capabilities, and the resources that it asks for. The program's arguments follow after --.",
  operands: [
    { name: "IMAGE", summary: "The image: NAME, NAME:TAG or NAME@sha256:DIGEST" },
    { name: "ARGS", summary: "Arguments of its program, or the program", isOptional: true, isRepeated: true },
  ],
  flags: FLAGS,
  examples: [
    {
      line: "skerry docker run alpine -- echo hello",
      does: "Run a program of an image and show what it prints",
    },
    {
      line: "skerry docker run -i file:///srv/data:/inputs -o outputs:/outputs --count 4 example/sum:1",
      does: "Four partitions over a folder of the node, with results",
    },
    {
      line: "skerry docker run --port http=8080:80 nginx",
      does: "Port 8080 of the node leads to port 80 of the container",
    },
    {
      line: "skerry docker run --network bridge --memory 2Gb --profile strict example/crawler:3",
      does: "With a network, more memory, and as little else as can be",
    },
  ],
  run,
});

/** `skerry docker` */
export const DOCKER: Noun = { name: "docker", summary: "Run containers as jobs", commands: [RUN] };

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { flags, settings } = call;
  const [image = "", ...parameters] = call.operands;
  const params = withoutEmpty({
    Image: image,
    Entrypoint: flags.entrypoint.length ? flags.entrypoint : undefined,
    Parameters: parameters.length ? parameters : undefined,
    WorkingDirectory: flags.workdir,
    User: flags.user,
    Profile: flags.profile,
    Capabilities: flags.capAdd.length ? flags.capAdd : undefined,
    Platform: flags.platform,
    Init: flags.init || undefined,
    Pull: flags.pull,
  });
  const isHostNetwork = /^(host|full)$/i.test(flags.network ?? "");
  const wire = await jobOf(flags, {
    settings,
    engine: { Type: "docker", Params: params },
    inputs: [],
    ports: flags.port.map((text) => parsePort(text, { isHostNetwork })),
    more: {
      StopSignal: flags.stopSignal,
      StopGrace: flags.stopGrace === undefined ? undefined : `${flags.stopGrace}ms`,
    },
  });
  return await runJob(call, { wire, parsed: await checkJob(wire), output: flags.format });
}
