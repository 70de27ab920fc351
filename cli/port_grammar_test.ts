import { deepStrictEqual as assertEquals, throws as assertThrows } from "node:assert";
import { parsePort } from "./port_grammar.ts";

Deno.test("parsePort() reads a name, and where the port is inside and outside", () => {
  const read = (text: string) => parsePort(text, { isHostNetwork: false });
  assertEquals(read("http"), { Name: "http" });
  assertEquals(read("http=80"), { Name: "http", Target: 80 });
  assertEquals(read("http=8080:80"), { Name: "http", Static: 8080, Target: 80 });
  assertEquals(read("http=0.0.0.0:8080:80"), {
    Name: "http",
    Static: 8080,
    Target: 80,
    HostNetwork: "0.0.0.0",
  });
  assertEquals(read("h=0.0.0.0::80"), { Name: "h", Target: 80, HostNetwork: "0.0.0.0" });
  assertEquals(read("h=[::1]:9000:80"), { Name: "h", Static: 9000, Target: 80, HostNetwork: "::1" });
});

Deno.test("in the host's network a port is the same on both sides", () => {
  assertEquals(parsePort("http=8080", { isHostNetwork: true }), { Name: "http", Static: 8080 });
  assertEquals(parsePort("http", { isHostNetwork: true }), { Name: "http" });
});

Deno.test("what is no port is refused with the grammar", () => {
  for (const text of ["", "80", "http=", "http=a", "a-b=80", "http=1:2:3:4", "http=80/udp"]) {
    assertThrows(() => parsePort(text, { isHostNetwork: false }), /Cannot read the port/, text);
  }
});
