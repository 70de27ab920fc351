import { deepStrictEqual as assertEquals, throws as assertThrows } from "node:assert";
import { BadMessage, forwarded, framingOf, parseHead, parseRequestLine } from "./proxy_head.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("parseHead() refuses what another parser might read in another way", () => {
  const bad = [
    ...["GET / HTTP/1.1\nHost: a", "GET / HTTP/1.1\r\n folded: a", "GET / HTTP/1.1\r\nHost : a"],
    ...["GET / HTTP/1.1\r\nnot a header", "GET / HTTP/1.1\r\n: a", "GET / HTTP/1.1\r\nA: b\rC: d", "A\0B"],
  ];
  for (const text of bad) assertThrows(() => parseHead(bytes(text)), BadMessage, text);
  for (const line of ["GET  / HTTP/1.1", "GET / HTTP/2", "PRI * HTTP/2.0", "GET /", "GE\tT / HTTP/1.1"]) {
    assertThrows(() => parseRequestLine(line), BadMessage, line);
  }
});

Deno.test("framingOf() refuses a body whose length could be read in two ways", () => {
  assertEquals(framingOf([]), { kind: "none" });
  assertEquals(framingOf([["Content-Length", "7"]]), { kind: "length", bytes: 7 });
  assertEquals(framingOf([["transfer-encoding", "Chunked"]]), { kind: "chunked" });
  const bad: [string, string][][] = [
    [["Content-Length", "7"], ["Content-Length", "8"]],
    [["Content-Length", "7"], ["Transfer-Encoding", "chunked"]],
    [["Transfer-Encoding", "gzip, chunked"]],
    [["Transfer-Encoding", "chunked"], ["Transfer-Encoding", "identity"]],
    ...["+7", "0x7", "7, 7", ""].map((length): [string, string][] => [["Content-Length", length]]),
  ];
  for (const headers of bad) assertThrows(() => framingOf(headers), BadMessage, JSON.stringify(headers));
});

Deno.test("forwarded() leaves out what is of one connection, and what Connection names", () => {
  const headers = [
    ...[["Host", "evil.org"], ["Accept", "a"], ["Connection", "X-Own, Content-Length"], ["X-Own", "1"]],
    ...[["Proxy-Authorization", "p"], ["Upgrade", "h2c"], ["Content-Length", "3"], ["TE", "trailers"]],
  ] as [string, string][];
  assertEquals(forwarded(headers, "request").map(([name]) => name), ["Accept", "Content-Length"]);
  assertEquals(forwarded([["Transfer-Encoding", "chunked"], ["Connection", "close"]], "response"), [
    ["Transfer-Encoding", "chunked"],
  ]);
});
