/** Ports of a service: what a task asks for, and what its node gives. */
import { z } from "zod";

/** A port that a task asks for, under a name. */
export const PortWish = z.object({
  /** Such that a variable of the environment can end in it. */
  name: z.string(),
  /** On the node; absent: the node chooses one. */
  hostPort: z.number().int().positive().optional(),
  /** In the container, where it has a network of its own; absent: the same as on the node. */
  targetPort: z.number().int().positive().optional(),
  /** Address of the node on which it listens; absent: the node chooses. */
  hostAddress: z.string().optional(),
});
export type PortWish = Readonly<z.infer<typeof PortWish>>;

/** The ports of the node that are named among them. */
export function hostPortsOf(wishes: readonly PortWish[] = []): readonly number[] {
  return wishes.flatMap(({ hostPort }) => hostPort === undefined ? [] : [hostPort]);
}

/** A port that a node has given to an execution, until it ends. */
export const Port = PortWish.required({ hostPort: true, hostAddress: true });
export type Port = Readonly<z.infer<typeof Port>>;
