import { deepEqual, equal } from "node:assert/strict";
import { parseDataUrl } from "./data_url.ts";

const text = (url: string) => {
  const data = parseDataUrl(url);
  return data && `${data.mediaType}|${new TextDecoder().decode(data.bytes)}`;
};

Deno.test("parseDataUrl() reads base64 and percent encoding, with and without a media type", () => {
  equal(text("data:text/html;charset=utf-8;base64,aGk="), "text/html|hi");
  equal(text("data:;base64,aGk"), "text/plain|hi");
  equal(text("DATA:,hi%20there"), "text/plain|hi there");
  equal(text("data:application/gzip;base64,aGk%3D"), "application/gzip|hi");
  equal(text("data:,"), "text/plain|");
});

Deno.test("parseDataUrl() reads the URL-safe alphabet as the standard one", () => {
  deepEqual(parseDataUrl("data:;base64,-_-_")?.bytes, parseDataUrl("data:;base64,+/+/")?.bytes);
});

for (
  const bad of [
    "",
    "http://x",
    "data:",
    "data:;base64,a",
    "data:;base64,a$b=",
    "data:,%4",
    "data:,%zz",
    "data:x,y",
  ]
) {
  Deno.test(`parseDataUrl() refuses ${JSON.stringify(bad)}`, () => equal(parseDataUrl(bad), undefined));
}
