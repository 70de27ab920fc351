/** Whether this node takes an execution: ordered rules, the first that rejects tells why. */
import { add, type Dimension, DIMENSIONS, fits, type Resources } from "../../shared/model/resources.ts";
import { resultNameProblem } from "../../shared/model/result_name.ts";
import type { Failure } from "./outcome.ts";

/** A task's variable with this before a name stands for a variable of the host. */
export const HOST_PREFIX = "env:";

/** What an order asks of the node. */
export interface Ask {
  readonly engine: string;
  /** What speaks against the task on this node's engine, such as a network that its owner does not give. */
  readonly engineProblem?: Failure;
  /** Absent: nothing is published. */
  readonly publisher?: string;
  /** Types of its inputs, and what speaks against one of them, such as a path that is not allow-listed. */
  readonly inputs: readonly { readonly type: string; readonly problem?: Failure }[];
  readonly env: Readonly<Record<string, string>>;
  readonly resultNames: readonly string[];
  readonly resources: Resources;
}

/** What the node can and has. */
export interface Offer {
  readonly engines: ReadonlySet<string>;
  readonly publishers: ReadonlySet<string>;
  readonly inputs: ReadonlySet<string>;
  /** Why something is not offered: engine, input or publisher → reason. */
  readonly absent: Readonly<Record<string, string>>;
  /** Names of host variables that tasks may be given; `*` stands for any text, `?` for any character. */
  readonly envAllowed: readonly string[];
  readonly capacity: Resources;
  /** The most that one task gets. */
  readonly taskMax: Resources;
  readonly queueCapacity: Resources;
  /** Allocated and queued together. */
  readonly held: Resources;
  readonly queuedCount: number;
  readonly queuedCountMax: number;
  /** Whether the order could start at once: then it takes no place in the queue. */
  readonly hasRoomNow: boolean;
  /** Set while the node takes no new work. */
  readonly refuses?: Failure;
}

interface AcceptRule {
  readonly reason: string;
  readonly rejects: (ask: Ask, offer: Offer) => Failure | undefined;
}

/** In this order. */
export const ACCEPT_RULES: readonly AcceptRule[] = [
  {
    reason: "the node has the engine",
    rejects: ({ engine }, { engines, absent }) =>
      engines.has(engine) ? undefined : {
        code: "engine_missing",
        message: `this node does not have the engine "${engine}"${because(absent[engine])}`,
        hint: `It has ${listed(engines)}`,
      },
  },
  {
    reason: "the engine may run such a task",
    rejects: ({ engineProblem }) => engineProblem,
  },
  {
    reason: "the node has the publisher",
    rejects: ({ publisher }, { publishers, absent }) =>
      publisher === undefined || publishers.has(publisher) ? undefined : {
        code: "refused",
        message: `this node does not have the publisher "${publisher}"${because(absent[publisher])}`,
        hint: `It has ${listed(publishers)}`,
      },
  },
  {
    reason: "the node has the input types",
    rejects: (ask, { inputs, absent }) => {
      const missing = ask.inputs.find(({ type }) => !inputs.has(type));
      return missing && {
        code: "input_refused",
        message: `this node does not have the input type "${missing.type}"${because(absent[missing.type])}`,
        hint: `It has ${listed(inputs)}`,
      };
    },
  },
  {
    reason: "every input may be used here",
    rejects: ({ inputs }) => inputs.find(({ problem }) => problem !== undefined)?.problem,
  },
  {
    reason: "host variables are allow-listed",
    rejects: ({ env }, { envAllowed }) => {
      const names = Object.values(env).filter((value) => value.startsWith(HOST_PREFIX))
        .map((value) => value.slice(HOST_PREFIX.length));
      const refused = names.find((name) => !envAllowed.some((pattern) => fitsPattern(name, pattern)));
      return refused === undefined ? undefined : {
        code: "refused",
        message: `this node does not forward the variable "${refused}" of its environment`,
        hint: "Give the value itself, or let the node's owner start it with --allow-env and the name",
      };
    },
  },
  {
    reason: "result names are plain names",
    rejects: ({ resultNames }) => {
      const bad = resultNames.find((name, at) =>
        resultNameProblem(name) !== undefined || resultNames.indexOf(name) !== at
      );
      return bad === undefined ? undefined : {
        code: "refused",
        message: `this node does not keep a result under the name "${bad}"`,
        hint: "Result names must be different, without slashes, and not stdout, stderr or exitCode",
      };
    },
  },
  {
    reason: "the node is large enough",
    rejects: ({ resources }, { taskMax }) => {
      const dimension = DIMENSIONS.find((name) => resources[name] > taskMax[name]);
      return dimension && {
        code: "refused",
        message: `this node does not have enough ${WORDS[dimension].name}: the task asks for ${
          WORDS[dimension].show(resources[dimension])
        }, the node gives ${WORDS[dimension].show(taskMax[dimension])}`,
        hint: "Ask for less, or add a larger node",
      };
    },
  },
  {
    reason: "the node takes new work",
    rejects: (_ask, { refuses }) => refuses,
  },
  {
    reason: "the queue has room",
    rejects: ({ resources }, { held, capacity, queueCapacity, queuedCount, queuedCountMax, hasRoomNow }) => {
      if (hasRoomNow) return undefined;
      // As homes count: what was granted a moment later than the next order came has not left the queue yet.
      const hasRoom = fits(add(held, resources), add(capacity, queueCapacity));
      if (hasRoom && queuedCount < queuedCountMax) return undefined;
      return {
        code: "exhausted",
        message: `this node does not take more: ${queuedCount} executions wait in its queue`,
        hint: "Try again later, or add a node",
      };
    },
  },
];

/** Why the node refuses, or undefined. */
export function accept(ask: Ask, offer: Offer): Failure | undefined {
  for (const { rejects } of ACCEPT_RULES) {
    const failure = rejects(ask, offer);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function fitsPattern(name: string, pattern: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*+/g, ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(name);
}

const because = (reason: string | undefined): string => reason === undefined ? "" : `: ${reason}`;
const listed = (names: ReadonlySet<string>): string =>
  names.size === 0 ? "none" : [...names].sort().join(", ");

const mib = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)} MiB`;
const WORDS: Readonly<Record<Dimension, { name: string; show: (amount: number) => string }>> = {
  cpuMillis: { name: "CPU", show: (millis) => `${millis / 1000}` },
  memoryBytes: { name: "memory", show: mib },
  diskBytes: { name: "disk", show: mib },
  gpuCount: { name: "GPUs", show: String },
};
