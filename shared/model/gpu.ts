/** GPUs of a node, device by device. */
import { z } from "zod";

/** One device. */
export const Gpu = z.object({
  /** As its driver counts them; may change with a restart of the machine. */
  index: z.number().int().nonnegative(),
  /** Its own for ever: `GPU-…`. */
  uuid: z.string(),
  name: z.string(),
  vendor: z.literal("NVIDIA"),
  /** Absent where it shares the machine's memory. */
  memoryMib: z.number().int().nonnegative().optional(),
  pciAddress: z.string().optional(),
});
export type Gpu = Readonly<z.infer<typeof Gpu>>;
