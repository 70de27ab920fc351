/** How ports are written on the command line: as `docker run --publish` has them, after a name. */
import { AppError } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";

/** Bacalhau's JSON. */
export interface WirePort {
  readonly Name: string;
  readonly Static?: number;
  readonly Target?: number;
  readonly HostNetwork?: string;
}

/**
 * `NAME[=[[ADDRESS:]PORT:]TARGET]`: `http` is any port, `http=80` port 80 of the container at any port of the node,
 * `http=8080:80` at port 8080, `http=0.0.0.0:8080:80` on all addresses, `http=0.0.0.0::80` there at any port. In the host's
 * own network, `http=8080` is port 8080 of both. Throws `bad_request`.
 */
export function parsePort(text: string, { isHostNetwork }: { isHostNetwork: boolean }): WirePort {
  const [, name = "", address, port, target] =
    /^([A-Za-z_]\w*)(?:=(?:(?:(\[[^\]]+\]|[^:=[\]]+):)?(\d{0,5}):)?(\d{1,5}))?$/.exec(text) ?? [];
  if (name === "") {
    throw new AppError("bad_request", `Cannot read the port ${quote(text)}`, {
      hint: "Write it as NAME=TARGET, NAME=PORT:TARGET or NAME=ADDRESS:PORT:TARGET, such as http=8080:80",
    });
  }
  const [hostPort, targetPort] = isHostNetwork ? [port || target, undefined] : [port, target];
  return {
    Name: name,
    ...(hostPort && { Static: Number(hostPort) }),
    ...(targetPort && { Target: Number(targetPort) }),
    ...(address && { HostNetwork: address.replace(/^\[(.*)\]$/, "$1") }),
  };
}
