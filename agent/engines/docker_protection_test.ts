import { deepStrictEqual as assertEquals, match as assertMatch } from "node:assert";
import { DEFAULT_CAPABILITIES } from "./docker_policy.ts";
import { hintOfBound, hintOfProtection, type Protection } from "./docker_protection.ts";

const ORDINARY: Protection = { profile: "default", capabilities: DEFAULT_CAPABILITIES, readOnlyTargets: [] };
const STRICT: Protection = { profile: "strict", capabilities: [], readOnlyTargets: ["/inputs/a"] };
const FREE = { profile: "default", capabilities: ["NET_RAW", "SYS_PTRACE"] } as const;
const CLOSED = { profile: "strict", capabilities: [] } as const;
const hint = (output: string, protection = ORDINARY, allowed: typeof FREE | typeof CLOSED = FREE) =>
  hintOfProtection(output, protection, allowed) ?? "";

/** What programs say, and the capability that they want. */
const COMPLAINTS: readonly (readonly [output: string, capability: string])[] = [
  ["ping: permission denied (are you root?)", "NET_RAW"],
  ["ping: socktype: SOCK_RAW\nping: socket: Operation not permitted", "NET_RAW"],
  ["tcpdump: eth0: You don't have permission (socket: Operation not permitted)", "NET_RAW"],
  ["iptables v1.8.7 (nf_tables): Could not fetch rule set generation id: Permission denied", "NET_ADMIN"],
  ["RTNETLINK answers: Operation not permitted", "NET_ADMIN"],
  ["ifconfig: SIOCSIFFLAGS: Operation not permitted", "NET_ADMIN"],
  ["mount: /mnt: permission denied.", "SYS_ADMIN"],
  ["unshare: unshare failed: Operation not permitted", "SYS_ADMIN"],
  ["date: cannot set date: Operation not permitted", "SYS_TIME"],
  ["mknod: /tmp/x: Operation not permitted", "MKNOD"],
  ["chroot: cannot change root directory to '/': Operation not permitted", "SYS_CHROOT"],
  ["dmesg: read kernel buffer failed: Operation not permitted", "SYSLOG"],
  ["renice: setpriority: Permission denied", "SYS_NICE"],
  ["strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted", "SYS_PTRACE"],
];

Deno.test("what programs say leads to the capability, with what this node allows", () => {
  for (const [output, capability] of COMPLAINTS) {
    assertMatch(hint(output), new RegExp(`capability ${capability}: .*--cap-add ${capability}`), output);
  }
  assertMatch(hint(COMPLAINTS[0]![0]), /: add --cap-add NET_RAW \(Capabilities\)$/);
  assertMatch(hint(COMPLAINTS[6]![0]), /this node does not give it, its owner can with docker_capabilities/);
});

Deno.test("what the profile strict took is named, with the way back where the owner allows it", () => {
  const wants: [string, string][] = [
    ["chown: changing ownership of '/data': Operation not permitted", "CHOWN"],
    ["E: setgroups 65534 failed - setgroups (1: Operation not permitted)", "SETGID"],
    ['error: failed switching to "postgres": operation not permitted', "SETUID"],
    ["nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)", "NET_BIND_SERVICE"],
    ["chmod: changing permissions of '/tmp': Operation not permitted", "FOWNER"],
  ];
  for (const [output, capability] of wants) {
    assertMatch(hint(output, STRICT), new RegExp(`capability ${capability}: ask for --profile default`));
    assertMatch(hint(output, STRICT, CLOSED), /this node does not give it.*docker_capabilities/);
    // With the capability it must be something else.
    assertEquals(hint(output).includes("capability"), false, output);
  }
  assertMatch(
    hint("PermissionError: [Errno 13] Permission denied: '/srv/x'", STRICT),
    /--user .*--profile default/,
  );
  assertMatch(hint("Error: EACCES: permission denied, open '/x'", STRICT, CLOSED), /docker_profile/);
});

Deno.test("what cannot be written to says where to write instead", () => {
  const nginx = 'nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)';
  assertMatch(
    hint(nginx, STRICT),
    /profile strict.*--output NAME:PATH.*\/tmp or \/run, or ask for --profile default/,
  );
  assertMatch(
    hint(nginx, STRICT, CLOSED),
    /--output.*this node's owner allows no other profile \(docker_profile\)/,
  );
  assertMatch(
    hint("OSError: [Errno 30] Read-only file system: '/inputs/a/x'", STRICT),
    /is an input.*opt=rw=true/,
  );
  assertMatch(hint("touch: /inputs/ab: Read-only file system", STRICT), /profile strict/);
  const kernel = "sh: can't create /proc/sys/kernel/panic: Read-only file system";
  assertMatch(hint(kernel), /Settings of the kernel/);
  assertMatch(hint("touch: /sys/x: Read-only file system", STRICT), /Settings of the kernel/);
  assertMatch(hint("touch: /mnt/x: Read-only file system"), /another folder/);
});

Deno.test("setuid programs, and everything else that is denied, have a hint of their own; other failures have none", () => {
  assertMatch(
    hint('sudo: The "no new privileges" flag is set, which prevents sudo from running as root.'),
    /--user/,
  );
  assertMatch(hint("su: must be suid to work properly"), /setuid programs do nothing/);
  assertMatch(hint("cat: /etc/shadow: Permission denied"), /--user .*--cap-add/);
  for (const output of ["", "No such file or directory", "segmentation fault", "exit 1"]) {
    assertEquals(hint(output), "");
  }
});

Deno.test("a bound that was met is named, with the option where there is one", () => {
  const bound = (output: string, profile: "default" | "strict" = "default") =>
    hintOfBound(output, { profile }) ?? "";
  const full = "dd: error writing '/tmp/f': No space left on device";
  assertMatch(bound(full), /--disk/);
  assertMatch(bound(full, "strict"), /\/tmp and \/run hold 64 MiB/);
  assertMatch(bound("OSError: [Errno 28] No space left on device: '/outputs/x'", "strict"), /--disk/);
  assertMatch(
    bound("ERROR: could not resize shared memory segment /dev/shm/x: No space left on device"),
    /\/dev\/shm/,
  );
  const forks = [
    "sh: can't fork: Resource temporarily unavailable",
    "bash: fork: retry: Resource temporarily unavailable",
    "RuntimeError: can't start new thread",
    "java.lang.OutOfMemoryError: unable to create native thread",
    "pthread_create failed: Resource temporarily unavailable",
  ];
  for (const output of forks) assertMatch(bound(output), /1,024 processes/, output);
  assertMatch(bound("mmap: Cannot allocate memory"), /--memory/);
  assertEquals(bound("No such file or directory"), "");
});
