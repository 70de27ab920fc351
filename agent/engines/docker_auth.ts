/** Credentials for registries, from where `docker login` keeps them, or from the agent's environment. Never logged. */

/** Docker Hub under the name by which `docker login` keeps it. */
const HUB = "https://index.docker.io/v1/";

/** The header that the daemon passes on to the registry; none without credentials. */
export async function registryAuth(image: string): Promise<Record<string, string>> {
  const registry = registryOf(image);
  const auth = registry === HUB
    ? fromEnvironment() ?? await fromDockerConfig(registry)
    : await fromDockerConfig(registry);
  if (auth === undefined) return {};
  const json = new TextEncoder().encode(JSON.stringify(auth));
  return { "x-registry-auth": json.toBase64({ alphabet: "base64url" }) };
}

/** The registry that an image's name leads to. */
export function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  return isHost && first !== "docker.io" ? first : HUB;
}

interface Auth {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}

function fromEnvironment(): Auth | undefined {
  const [username, password] = [Deno.env.get("DOCKER_USERNAME"), Deno.env.get("DOCKER_PASSWORD")];
  return username && password ? { username, password, serveraddress: HUB } : undefined;
}

async function fromDockerConfig(registry: string): Promise<Auth | undefined> {
  const folder = Deno.env.get("DOCKER_CONFIG") ?? `${Deno.env.get("HOME") ?? "/root"}/.docker`;
  let config: { auths?: Record<string, { auth?: string }> };
  try {
    config = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return undefined;
    }
    throw error;
  }
  const { auth } = config.auths?.[registry] ?? config.auths?.[`https://${registry}`] ?? {};
  if (auth === undefined) return undefined;
  const text = new TextDecoder().decode(Uint8Array.fromBase64(auth));
  const at = text.indexOf(":");
  return at < 0
    ? undefined
    : { username: text.slice(0, at), password: text.slice(at + 1), serveraddress: registry };
}
