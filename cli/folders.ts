/** Where Skerry keeps its files when nobody says where: the XDG folders, or the system's for a service without a home. */
import { join } from "node:path";

/** `~/.config/skerry/config.yaml` */
export function defaultConfigPath(): string {
  const base = Deno.env.get("XDG_CONFIG_HOME") || inHome(".config");
  return base ? join(base, "skerry", "config.yaml") : "/etc/skerry/config.yaml";
}

/** `~/.local/share/skerry`; systemd's `StateDirectory=` comes first. */
export function defaultDataDir(): string {
  const state = Deno.env.get("STATE_DIRECTORY")?.split(":")[0];
  if (state) return state;
  const base = Deno.env.get("XDG_DATA_HOME") || inHome(join(".local", "share"));
  return base ? join(base, "skerry") : "/var/lib/skerry";
}

function inHome(path: string): string | undefined {
  const home = Deno.env.get("HOME");
  return home ? join(home, path) : undefined;
}
