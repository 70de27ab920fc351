import { deepStrictEqual as assertEquals } from "node:assert";
import { aClientHello } from "../../tests/support/client_hello.ts";
import { readFirstBytes } from "./proxy_tls.ts";

Deno.test("readFirstBytes() finds the name that a client asks for, once its hello is there whole", () => {
  const hello = aClientHello("Example.org");
  assertEquals(readFirstBytes(hello), { kind: "hello", name: "example.org" });
  for (let length = 0; length < hello.length; length++) {
    assertEquals(readFirstBytes(hello.subarray(0, length)).kind, "incomplete", `${length} bytes`);
  }
  assertEquals(readFirstBytes(aClientHello("example.org", { fragmentBytes: 7 })), {
    kind: "hello",
    name: "example.org",
  });
  assertEquals(readFirstBytes(aClientHello(undefined)), { kind: "hello" });
});

Deno.test("readFirstBytes() takes nothing else for a hello: other protocols, two names, lengths that lie", () => {
  const text = (it: string) => new TextEncoder().encode(it);
  const lying = aClientHello("example.org");
  lying[lying.length - 12] = 200;
  const others = [
    text("GET / HTTP/1.1\r\n"),
    text("SSH-2.0-x\r\n"),
    aClientHello("a.org", { secondName: "b.org" }),
    Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0),
    Uint8Array.of(22, 3, 1, 0, 0),
    Uint8Array.of(22, 3, 1, 0, 4, 1, 255, 255, 255),
    lying,
  ];
  for (const bytes of others) assertEquals(readFirstBytes(bytes).kind, "other");
});
