/** Images of containers: what their names turned out to mean. */
import { z } from "zod";

/** What a node found under the name that a task gives for its image. */
export const ImageFound = z.object({
  /** As the task names it. */
  name: z.string(),
  /** `NAME@sha256:…` of its registry: the same image for ever, on every node. Absent: only that node has it. */
  digest: z.string().optional(),
  /** Digest of its configuration: what ran there. */
  id: z.string().optional(),
  /** `os/arch` that the registry has it for; told only when the node's is not among them. */
  platforms: z.array(z.string()).optional(),
});
export type ImageFound = Readonly<z.infer<typeof ImageFound>>;

/** What a job's home has learned of its image, for one version of the job. */
export const JobImage = z.object({
  /** Every attempt from now on runs this. */
  digest: z.string().optional(),
  /** Only nodes of these can run it. */
  platforms: z.array(z.string()).optional(),
});
export type JobImage = Readonly<z.infer<typeof JobImage>>;

/** What a job knows of its image after a node's report; the same object when there is nothing new. The first word counts. */
export function learnImage(known: JobImage | undefined, found: ImageFound): JobImage | undefined {
  const digest = known?.digest ?? found.digest;
  const platforms = known?.platforms ?? found.platforms;
  if (digest === known?.digest && platforms === known?.platforms) return known;
  return { ...(digest !== undefined && { digest }), ...(platforms !== undefined && { platforms }) };
}

/** `linux/arm64` of `linux/arm64/v8` and of `Linux/aarch64`: what placement compares. */
export function platformOf(text: string): string {
  const [os = "", arch = ""] = text.toLowerCase().split("/");
  return `${os}/${ARCHITECTURES[arch] ?? arch}`;
}

/** What some call architectures that registries call otherwise. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };
