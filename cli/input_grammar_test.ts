import assert from "node:assert/strict";
import { AppError } from "../shared/errors.ts";
import { parseInput, parsePairs, parsePublisher, parseResultPath, type WireInput } from "./input_grammar.ts";

const input = (
  Type: string,
  Params: Record<string, unknown>,
  [Alias, Target]: [string, string],
): WireInput => ({
  Source: { Type, Params },
  Alias,
  Target,
});

Deno.test("parseInput() reads every form of Bacalhau's grammar", () => {
  const cases: [string, WireInput][] = [
    ["file:///srv/data", input("local", { SourcePath: "/srv/data" }, ["file:///srv/data", "/inputs"])],
    ["file:///srv/data:/in", input("local", { SourcePath: "/srv/data" }, ["file:///srv/data", "/in"])],
    [
      "src=file:///srv/data,dst=/in,opt=rw=true",
      input("local", { SourcePath: "/srv/data", ReadWrite: true }, ["file:///srv/data", "/in"]),
    ],
    ["/srv/data", input("local", { SourcePath: "/srv/data" }, ["/srv/data", "/inputs"])],
    ["/srv/data:/in", input("local", { SourcePath: "/srv/data" }, ["/srv/data", "/in"])],
    ["/srv/a:b/:/in", input("local", { SourcePath: "/srv/a:b" }, ["/srv/a:b/", "/in"])],
    ["/srv/100%20:/in", input("local", { SourcePath: "/srv/100%20" }, ["/srv/100%20", "/in"])],
    [
      "file:///srv/sea%20and%20air/%C3%A9t%C3%A9:/in",
      input("local", { SourcePath: "/srv/sea and air/été" }, [
        "file:///srv/sea%20and%20air/%C3%A9t%C3%A9",
        "/in",
      ]),
    ],
    ["ipfs://QmX:/in", input("ipfs", { CID: "QmX" }, ["ipfs://QmX", "/in"])],
    [
      "https://example.org:8443/a.csv:/in/a.csv",
      input("urlDownload", { URL: "https://example.org:8443/a.csv" }, [
        "https://example.org:8443/a.csv",
        "/in/a.csv",
      ]),
    ],
    [
      "https://example.org:8443/a.csv",
      input("urlDownload", { URL: "https://example.org:8443/a.csv" }, [
        "https://example.org:8443/a.csv",
        "/inputs",
      ]),
    ],
    [
      "source=s3://bucket/some/key*,target=/in,opt=region=eu-1,opt=endpoint=http://h:9000",
      input("s3", { Bucket: "bucket", Key: "some/key*", Region: "eu-1", Endpoint: "http://h:9000" }, [
        "s3://bucket/some/key*",
        "/in",
      ]),
    ],
  ];
  for (const [text, expected] of cases) {
    assert.deepEqual(parseInput(text), expected);
  }
});

Deno.test("parseInput() says what is wrong, and what was meant", () => {
  const cases: [string, RegExp, RegExp][] = [
    ["data.csv", /neither a URI nor an absolute path/, /URI/],
    ["flie:///srv", /kind "flie"/, /Did you mean file/],
    ["git://x/y", /kind "git"/, /Use file/],
    ["s3:///key", /bucket is missing/, /s3:\/\/bucket/],
    ["src=s3://b/k,dst=/in,opt=regoin=eu", /unknown option "regoin"/, /Did you mean region/],
    ["src=file:///x,to=/in", /unknown part/, /dst=PATH/],
    ["file:///srv/100%:/in", /% must be followed by two hex digits/, /%25/],
    ["file://relative", /absolute path/, /file:\/\/\/srv/],
  ];
  for (const [text, message, hint] of cases) {
    assert.throws(
      () => parseInput(text),
      (error: unknown) =>
        error instanceof AppError && message.test(error.message) && hint.test(error.hint ?? ""),
      text,
    );
  }
});

Deno.test("parseResultPath() takes NAME:/PATH, and explains -o json", () => {
  assert.deepEqual(parseResultPath("outputs:/outputs"), { Name: "outputs", Path: "/outputs" });
  assert.throws(
    () => parseResultPath("json"),
    (error: unknown) => /--format json/.test((error as AppError).hint ?? ""),
  );
});

Deno.test("parsePublisher() reads types and S3 with options", () => {
  assert.deepEqual(parsePublisher("local"), { Type: "local", Params: {} });
  assert.deepEqual(parsePublisher("s3://b/k/{jobID},opt=region=eu,opt=encoding=plain"), {
    Type: "s3",
    Params: { Bucket: "b", Key: "k/{jobID}", Region: "eu", Encoding: "plain" },
  });
  assert.throws(() => parsePublisher("ftp://x"), AppError);
  for (const port of ["8080:80", "80", "127.0.0.1:8080:80", "53:53/udp"]) {
    assert.throws(() => parsePublisher(port), { hint: /--port NAME=/ });
  }
});

Deno.test("parsePairs() keeps what follows the first =", () => {
  assert.deepEqual(parsePairs(["A=b=c", "D="], "--env"), { A: "b=c", D: "" });
  assert.throws(() => parsePairs(["=x"], "--env"), AppError);
});
