import { deepStrictEqual as assertEquals } from "node:assert";
import { canonicalAddress, isIn, isPublic, parseRange } from "./addresses.ts";

Deno.test("isPublic() knows what must not be reached from a task, in every spelling and disguise", () => {
  const inside = [
    ...["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1"],
    ...["169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1"],
    ...["224.0.0.1", "239.1.1.1", "255.255.255.255", "100.100.100.200", "168.63.129.16", "192.0.2.1"],
    ...["::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1"],
    ...["::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1"],
    ...["2001:db8::1", "fec0::1", "3fff::1", "example.org", "", "1.2.3.4.5", "1.2.3.256"],
  ];
  assertEquals(inside.filter(isPublic), []);
  const outside = [
    ...["1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "192.167.1.1", "223.255.255.255"],
    ...["2606:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8", "2001:4860:4860::8888"],
  ];
  assertEquals(outside.filter((address) => !isPublic(address)), []);
});

Deno.test("canonicalAddress() gives every spelling of an address one form, and names none", () => {
  assertEquals(canonicalAddress("0x7f.1"), "127.0.0.1");
  assertEquals(canonicalAddress("2001:DB8:0:0::1"), "2001:db8::1");
  const names = ["example.org", "1.example", "a.1b", "dead.beef", "1.2.3.4/8", "1.2.3.4@x", ":", "::1]/x"];
  assertEquals(names.map(canonicalAddress), names.map(() => undefined));
});

Deno.test("isIn() holds addresses against ranges of their own family", () => {
  const ranges = ["10.0.0.0/8", "192.168.7.7", "fd00::/8", "0.0.0.0/0"].map((text) => parseRange(text)!);
  assertEquals(isIn("10.255.0.1", ranges.slice(0, 1)), true);
  assertEquals(isIn("11.0.0.1", ranges.slice(0, 1)), false);
  assertEquals(isIn("192.168.7.8", ranges.slice(1, 2)), false);
  assertEquals(isIn("fdab::1", ranges.slice(2, 3)), true);
  assertEquals(isIn("::ffff:10.0.0.1", ranges), false);
  assertEquals(
    ["10.0.0.0/33", "a/8", "10.0.0.0/-1", "10.0.0.0/8/9", ""].map(parseRange),
    Array(5).fill(undefined),
  );
});
