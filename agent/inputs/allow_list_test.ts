import assert from "node:assert/strict";
import { allowRules, cleanHostPath } from "./allow_list.ts";

const allows = (path: string, resolve = (base: string) => base) => {
  const rules = allowRules([{ path, isWritable: false }], resolve);
  return (asked: string) => rules.some(({ matches }) => matches(asked));
};

Deno.test("a folder allows itself and what is in it, and nothing beside it", () => {
  const isAllowed = allows("/data/in/");
  assert.deepEqual(
    ["/data/in", "/data/in/a/b", "/data/inner", "/data", "/"].map(isAllowed),
    [true, true, false, false, false],
  );
});

Deno.test("the root allows everything", () => {
  assert.ok(allows("/")("/etc/passwd"));
});

Deno.test("a pattern matches within names, and ** across them", () => {
  assert.deepEqual(["/d/a.csv", "/d/b/a.csv", "/d/a.csv.gz"].map(allows("/d/*.csv")), [true, false, false]);
  assert.deepEqual(["/d/a.csv", "/d/b/c/a.csv", "/e/a.csv"].map(allows("/d/**/*.csv")), [true, true, false]);
  assert.deepEqual(["/d", "/d/x", "/d/x/y"].map(allows("/d/**")), [false, true, true]);
  assert.deepEqual(["/d/a1", "/d/a12", "/d/a/1"].map(allows("/d/a?")), [true, false, false]);
});

Deno.test("characters of regular expressions stand for themselves", () => {
  assert.deepEqual(["/d/a+b(1).txt", "/d/aab1.txt"].map(allows("/d/a+b(1)*")), [true, false]);
});

Deno.test("an entry through a link allows the folder by both names", () => {
  const isAllowed = allows("/link/in", (path) => path.replace("/link", "/real"));
  assert.deepEqual(["/link/in/a", "/real/in/a", "/real/out"].map(isAllowed), [true, true, false]);
});

Deno.test("cleanHostPath() drops what says nothing", () => {
  assert.deepEqual(["/a//b/./c/", "/", "//"].map(cleanHostPath), ["/a/b/c", "/", "/"]);
});
