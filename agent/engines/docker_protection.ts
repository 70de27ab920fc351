/** What a container's protections look like from inside: which of them a program seems to have met, and the option for it. */
import type { Profile } from "./docker_params.ts";
import { DEFAULT_CAPABILITIES, type DockerPolicy } from "./docker_policy.ts";

/** What a container was held back by. */
export interface Protection {
  readonly profile: Profile;
  /** That it has. */
  readonly capabilities: readonly string[];
  /** Where it sees inputs that it may not write to. */
  readonly readOnlyTargets: readonly string[];
}

/** What the node's owner lets others ask for. */
export type Allowance = Pick<DockerPolicy, "profile" | "capabilities">;

const READ_ONLY = /read-only file ?system|\bEROFS\b/i;
const DENIED = /operation not permitted|permission denied|\b(?:EPERM|EACCES)\b|not permitted/i;
/** setuid programs, which gain nothing here. */
const NO_GAIN = /no new privileges|must be suid|effective uid is not 0|setuid bit set/i;

/** Words of a complaint → the capability that the call behind it needs. The first that fits is told. */
const NEEDS: readonly (readonly [RegExp, capability: string])[] = [
  [/\b(?:chown|chgrp|lchown|fchown)/i, "CHOWN"],
  [/\bping6?\b|raw socket|SOCK_RAW|tcpdump|arping|traceroute/i, "NET_RAW"],
  [
    /iptables|nftables|\bnft\b|RTNETLINK|SIOC\w+|brctl|\bifconfig\b|\bip(?:6tables)?:|\btun\b|wireguard/i,
    "NET_ADMIN",
  ],
  [/ptrace|strace|\bgdb\b/i, "SYS_PTRACE"],
  [/set (?:the )?(?:date|clock)|settimeofday|clock_settime|adjtimex|hwclock/i, "SYS_TIME"],
  [/mknod/i, "MKNOD"],
  [/chroot|change root directory/i, "SYS_CHROOT"],
  [/setpriority|sched_set|\bre?nice\b|ionice/i, "SYS_NICE"],
  [/mlock|memlock/i, "IPC_LOCK"],
  [/setrlimit|rlimit/i, "SYS_RESOURCE"],
  [/dmesg|klogctl|syslog\b/i, "SYSLOG"],
  [/\breboot\b/i, "SYS_BOOT"],
  [/insmod|modprobe/i, "SYS_MODULE"],
  [/\bu?mount\b|unshare|setns|sethostname|swapo(?:n|ff)|losetup|\bbpf\b|fusermount/i, "SYS_ADMIN"],
  [/\bbind\b|listen(?:ing)? on|address.*:\d{1,3}\b/i, "NET_BIND_SERVICE"],
  [/setgid|setgroups|initgroups|setegid|setresgid/i, "SETGID"],
  [/setuid|seteuid|setresuid|su-exec|gosu|switching (?:user|to)/i, "SETUID"],
  [/chmod|utime|\btouch\b.*setting times/i, "FOWNER"],
  [/\bkill\b/i, "KILL"],
];

/** One sentence about the last complaint, if there is one. */
export function hintOfProtection(
  output: string,
  { profile, capabilities, readOnlyTargets }: Protection,
  allowed: Allowance,
): string | undefined {
  const line = output.split("\n").findLast((line) =>
    [READ_ONLY, DENIED, NO_GAIN].some((words) => words.test(line))
  );
  if (line === undefined) return undefined;
  if (READ_ONLY.test(line)) return hintOfReadOnly(line, { profile, readOnlyTargets, allowed });
  if (NO_GAIN.test(line)) {
    return "Containers gain no new privileges, so sudo, su and other setuid programs do nothing: run the program as the user itself, with --user (User)";
  }
  const needed = NEEDS.find(([words]) => words.test(line))?.[1];
  if (needed !== undefined && !capabilities.includes(needed)) {
    return `It seems to need the capability ${needed}: ${waysTo(needed, { profile, allowed })}`;
  }
  if (profile === "strict") {
    return `The profile strict takes all capabilities, and root: ${
      orElse([
        `give the user that owns what it opens with --user (User)`,
        ...looser(allowed),
      ])
    }`;
  }
  return "Containers have few capabilities, and the user of their image: see --user (User) for files of others, --cap-add (Capabilities) for what only root may do";
}

function hintOfReadOnly(
  line: string,
  { profile, readOnlyTargets, allowed }: {
    profile: Profile;
    readOnlyTargets: readonly string[];
    allowed: Allowance;
  },
): string {
  const input = readOnlyTargets.find((target) =>
    new RegExp(`${RegExp.escape(target)}(?![\\w.-])`).test(line)
  );
  if (input !== undefined) {
    return `"${input}" is an input, and read-only: write to a result folder (--output NAME:PATH), or ask for the input with opt=rw=true (ReadWrite) where the node's owner allows it`;
  }
  if (/\/(?:proc|sys)\//.test(line)) {
    return "Settings of the kernel are read-only in containers, and no option changes that: set them on the node";
  }
  if (profile !== "strict") {
    return "It is mounted read-only: write to another folder, such as a result folder";
  }
  const ways = ["write to a result folder (--output NAME:PATH), /tmp or /run", ...looser(allowed)];
  return `With the profile strict the root file system is read-only: ${orElse(ways)}`;
}

/** How a task comes by a capability here. */
function waysTo(needed: string, { profile, allowed }: { profile: Profile; allowed: Allowance }): string {
  const isOrdinary = DEFAULT_CAPABILITIES.includes(needed);
  const ways = [
    ...(allowed.capabilities.includes(needed) ? [`add --cap-add ${needed} (Capabilities)`] : []),
    ...(profile === "strict" && isOrdinary && allowed.profile !== "strict" ? looser(allowed) : []),
  ];
  if (ways.length > 0) return orElse(ways);
  return `this node does not give it, its owner can with docker_capabilities; then add --cap-add ${needed} (Capabilities)`;
}

/** Less protection, where the owner allows it. */
const looser = ({ profile }: Allowance): readonly string[] =>
  profile === "strict"
    ? ["do without; this node's owner allows no other profile (docker_profile)"]
    : ["ask for --profile default (Profile)"];

const orElse = (ways: readonly string[]): string => ways.join(", or ");

const NO_SPACE = /no space left on device|\bENOSPC\b|disk quota exceeded|\bEDQUOT\b/i;
const NO_PROCESS =
  /(?:can't|cannot|unable to|failed to) (?:fork|start (?:a )?new (?:thread|process)|create (?:a )?(?:new )?(?:native )?thread)|fork: .*(?:resource temporarily unavailable|retry)|pthread_create.*(?:failed|unavailable|EAGAIN)|newosproc/i;
const NO_MEMORY = /cannot allocate memory|\bENOMEM\b|out of memory|OutOfMemoryError|MemoryError|bad_alloc/i;

/** One sentence about the bound that the program has met last, if there is one. */
export function hintOfBound(output: string, { profile }: Pick<Protection, "profile">): string | undefined {
  const line = output.split("\n").findLast((line) =>
    [NO_SPACE, NO_PROCESS, NO_MEMORY].some((words) => words.test(line))
  );
  if (line === undefined) return undefined;
  if (NO_PROCESS.test(line)) {
    return "A container may have 1,024 processes and threads: let the program use fewer";
  }
  if (NO_MEMORY.test(line)) {
    return "The task has the memory that it asked for: give it more with --memory (Resources)";
  }
  if (/\/dev\/shm/.test(line)) return "/dev/shm holds 64 MiB: let the program keep its data elsewhere";
  if (profile === "strict" && /[\s'"`:(]\/(?:tmp|run)\b/.test(line)) {
    return "With the profile strict /tmp and /run hold 64 MiB each, in memory: write to a result folder (--output NAME:PATH)";
  }
  return "The node's disk is full, or the task's share of it: give the task more with --disk (Resources), or make room on the node";
}
