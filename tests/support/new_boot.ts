/**
 * A command that runs as if its machine had just been started: the kernel's boot id is another one, and its clocks of uptime
 * begin anew (a mount and a time namespace of its own). Needs root and Linux.
 */

/** Uptime with which it begins: clocks that count from the start of the machine must not be at zero. */
const UPTIME_S = 2;

/** What stands before the command. `folder`: where the new boot id is kept while it runs. */
export async function newBoot(folder: string): Promise<readonly string[]> {
  const uptime = Math.floor(Number((await Deno.readTextFile("/proc/uptime")).split(" ")[0]));
  const shift = `-${uptime - UPTIME_S}`;
  const bootId = await Deno.makeTempFile({ dir: folder, prefix: "boot-id-" });
  await Deno.writeTextFile(bootId, `${crypto.randomUUID()}\n`);
  return [
    // Without a fork, so that its signals are the command's: the time namespace is entered with the next program.
    ...["unshare", "--mount", "--time", "--boottime", shift, "--monotonic", shift, "sh", "-c"],
    ...['mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"', bootId],
  ];
}
