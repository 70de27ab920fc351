/** The first words. Only the noun that is called is loaded. */
import type { Noun } from "./command.ts";

/** A noun that is loaded when it is needed. */
export interface NounEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Noun>;
}

/** In the order in which help shows them. */
export const NOUNS: readonly NounEntry[] = [
  {
    name: "serve",
    summary: "Run a node: orchestrator and agent in one process",
    load: async () => (await import("./serve_noun.ts")).SERVE,
  },
  {
    name: "docker",
    summary: "Run containers as jobs",
    load: async () => (await import("./docker.ts")).DOCKER,
  },
  {
    name: "wasm",
    summary: "Run WebAssembly modules as jobs",
    load: async () => (await import("./wasm.ts")).WASM,
  },
  {
    name: "job",
    summary: "Run, watch, stop and fetch jobs",
    load: async () => (await import("./job.ts")).JOB,
  },
  {
    name: "node",
    summary: "See the nodes that jobs run on, and empty them",
    load: async () => (await import("./node.ts")).NODE,
  },
  {
    name: "namespace",
    summary: "Share nodes between namespaces: weights, defaults, maxima and quotas",
    load: async () => (await import("./namespace.ts")).NAMESPACE,
  },
  {
    name: "system",
    summary: "See what a node keeps, and make room",
    load: async () => (await import("./system.ts")).SYSTEM,
  },
  {
    name: "agent",
    summary: "See the server that answers: whether it lives, its version and its configuration",
    load: async () => (await import("./agent.ts")).AGENT,
  },
  {
    name: "config",
    summary: "Read and change settings",
    load: async () => (await import("./config_noun.ts")).CONFIG,
  },
  {
    name: "version",
    summary: "Show the versions of this program and of the server",
    load: async () => (await import("./version.ts")).VERSION_NOUN,
  },
  {
    name: "completion",
    summary: "Print a completion script for bash, zsh or fish",
    load: async () => (await import("./completion.ts")).COMPLETION,
  },
];
