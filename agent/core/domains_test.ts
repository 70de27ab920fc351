import { deepStrictEqual as assertEquals } from "node:assert";
import { canonicalHost, parseDomain, ruleFor } from "./domains.ts";

const verdict = (domains: readonly string[], host: string, port = 443) => {
  const rule = ruleFor(domains.map(parseDomain), { host, port });
  return typeof rule === "string" ? rule : "allowed";
};

Deno.test("a domain is itself, one that begins with *. what is below it, one with a dot both", () => {
  const reached = (domain: string) =>
    ["example.org", "a.example.org", "a.b.example.org", "badexample.org", "example.org.evil.net", "org"]
      .filter((host) => verdict([domain], host) === "allowed");
  assertEquals(reached("example.org"), ["example.org"]);
  assertEquals(reached("*.example.org"), ["a.example.org", "a.b.example.org"]);
  assertEquals(reached(".example.org"), ["example.org", "a.example.org", "a.b.example.org"]);
});

Deno.test("ports are 80 and 443 unless the domain names another, which is then the only one", () => {
  assertEquals([80, 443, 22].map((port) => verdict(["a.org"], "a.org", port)), [
    "allowed",
    "allowed",
    "port",
  ]);
  assertEquals([80, 8080].map((port) => verdict(["a.org:8080"], "a.org", port)), ["port", "allowed"]);
  assertEquals(verdict(["a.org:8080", "a.org"], "a.org", 80), "allowed");
  assertEquals(verdict(["*.a.org:22"], "b.a.org", 22), "allowed");
  assertEquals(verdict(["a.org"], "b.org"), "name");
});

Deno.test("an address is reached only when it is named, in whatever spelling", () => {
  assertEquals(verdict(["192.0.2.7"], "192.0.2.7"), "allowed");
  assertEquals(verdict([".0.2.7", "*.2.7"], "192.0.2.7"), "name");
  assertEquals(verdict(["2001:DB8::1"], canonicalHost("[2001:db8:0::1]")!), "allowed");
  assertEquals(verdict(["[2001:db8::1]:8443"], "2001:db8::1", 8443), "allowed");
  assertEquals(canonicalHost("0x7f.1"), "127.0.0.1");
  assertEquals(canonicalHost("2130706433"), "127.0.0.1");
  assertEquals(canonicalHost("[::ffff:10.0.0.1]"), "::ffff:a00:1");
});

Deno.test("hosts are compared without their last dot, in lower case; what is no name is none", () => {
  assertEquals(canonicalHost("Example.ORG."), "example.org");
  const none = [
    "",
    ".",
    "a..b",
    "a b",
    "a/b",
    "a@b",
    "exämple.org",
    "a\0b",
    "x".repeat(64),
    "a".padEnd(255, ".a"),
  ];
  assertEquals(none.map(canonicalHost), none.map(() => undefined));
});
