import { doesNotThrow, equal, throws } from "node:assert/strict";
import { checkOrigin, ownNames, refuseVersion, wantsStateStubs } from "./guards.ts";

const FORBIDDEN = { name: "AppError", code: "forbidden" };
const headers = (host: string, more: Record<string, string> = {}) => new Headers({ host, ...more });

const LOOPBACK = ownNames("127.0.0.1");
const WILDCARD = ownNames("0.0.0.0", ["hub.example"]);
const NAMED = ownNames("192.168.1.5", ["Hub.Example", "fe80::1"]);

for (
  const host of [
    "localhost",
    "LOCALHOST:1234",
    "127.0.0.1:1234",
    "127.8.9.1",
    "[::1]:80",
    "a.localhost",
    "localhost.",
  ]
) {
  Deno.test(`checkOrigin() takes the loopback name ${host} on every server`, () => {
    for (const own of [LOOPBACK, WILDCARD, NAMED]) doesNotThrow(() => checkOrigin(headers(host), own));
  });
}

for (
  const host of [
    "",
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "192.168.1.5",
    "[fe80::1]",
  ]
) {
  Deno.test(`checkOrigin() refuses the host ${JSON.stringify(host)} on a loopback server`, () => {
    throws(() => checkOrigin(headers(host), LOOPBACK), FORBIDDEN);
  });
}

Deno.test("checkOrigin() takes any address on a server that listens everywhere, and no name but its own", () => {
  for (const host of ["10.1.2.3:1234", "[2001:db8::1]:1234", "hub.example:1234"]) {
    doesNotThrow(() => checkOrigin(headers(host), WILDCARD), host);
  }
  for (const host of ["evil.example", "10.1.2.3.evil.example"]) {
    throws(() => checkOrigin(headers(host), WILDCARD), FORBIDDEN, host);
  }
});

Deno.test("checkOrigin() takes the address that is listened on, and configured names in any casing", () => {
  for (const host of ["192.168.1.5:1234", "hub.example", "HUB.EXAMPLE:1", "[fe80::1]:9"]) {
    doesNotThrow(() => checkOrigin(headers(host), NAMED), host);
  }
  throws(() => checkOrigin(headers("192.168.1.6"), NAMED), FORBIDDEN);
});

Deno.test("checkOrigin() takes only the origin that the request is addressed to", () => {
  const at = (origin: string) => () => checkOrigin(headers("localhost:1234", { origin }), LOOPBACK);
  doesNotThrow(at("http://localhost:1234"));
  doesNotThrow(at("https://LOCALHOST:1234"));
  for (
    const origin of [
      "http://localhost",
      "http://localhost:1",
      "http://evil.example",
      "null",
      "",
      "file://",
      "http://localhost:1234.evil",
    ]
  ) {
    throws(at(origin), FORBIDDEN, origin);
  }
});

Deno.test("checkOrigin() lets a person follow a link from another site, and no script or image", () => {
  const from = (mode: string) => () =>
    checkOrigin(headers("localhost", { "sec-fetch-site": "cross-site", "sec-fetch-mode": mode }), LOOPBACK);
  doesNotThrow(from("navigate"));
  throws(from("no-cors"), FORBIDDEN);
});

Deno.test("refuseVersion() lets releases from 1.4.0 on, and nameless ones, pass", () => {
  for (const fine of ["", "v0.0.0", "v0.0.0-xxxxxxx", "v1.4.0", "1.9.3", "v1.9.3-dev", "v2.0.0"]) {
    equal(refuseVersion(fine), undefined, fine);
  }
  equal(refuseVersion("v1.3.99")?.status, 403);
  equal(refuseVersion("v0.0.1")?.status, 403);
  equal(refuseVersion("v1.4")?.status, 400);
  equal(refuseVersion("\u0000")?.status, 400);
});

Deno.test("wantsStateStubs() is for clients before 1.5", () => {
  equal(wantsStateStubs("v1.4.9"), true);
  equal(wantsStateStubs("v1.5.0"), false);
  equal(wantsStateStubs("v0.0.0"), false);
  equal(wantsStateStubs(""), false);
});
