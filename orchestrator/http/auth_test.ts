import { equal, match, notEqual, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createSign, generateKeyPairSync } from "node:crypto";
import { Challenge } from "./auth.ts";

const MINUTE_MS = 60_000;
const NOW_MS = 1_700_000_000_000;
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const challenge = () => new Challenge("n-1", new Uint8Array(32).fill(1));

function answer(phrase: string, key = publicKey.export({ type: "pkcs1", format: "der" })): string {
  const PhraseSignature = createSign("RSA-SHA256").update(Buffer.from(phrase, "base64")).sign(privateKey)
    .toString("base64");
  return btoa(JSON.stringify({ PhraseSignature, PublicKey: key.toString("base64") }));
}

Deno.test("a signed phrase is good for some minutes, and not for ever", () => {
  const it = challenge();
  const signed = answer(it.phrase(NOW_MS));
  ok("token" in it.verify(signed, NOW_MS));
  ok("token" in it.verify(signed, NOW_MS + 4 * MINUTE_MS));
  ok("reason" in it.verify(signed, NOW_MS + 11 * MINUTE_MS));
  notEqual(it.phrase(NOW_MS), it.phrase(NOW_MS + 11 * MINUTE_MS));
});

Deno.test("the token names the client's key, and is another node's no more", () => {
  const [here, there] = [challenge(), new Challenge("n-2", new Uint8Array(32).fill(2))];
  const told = here.verify(answer(here.phrase(NOW_MS)), NOW_MS);
  match("token" in told ? told.token : "", /^[0-9a-f]{64}\.[\w-]{43}$/);
  ok("reason" in there.verify(answer(here.phrase(NOW_MS)), NOW_MS));
});

Deno.test("what is no answer, no key or a weak key is refused with its reason", () => {
  const it = challenge();
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({
    type: "pkcs1",
    format: "der",
  });
  for (const data of [undefined, 5, "", "%%%", btoa("null"), btoa("{}"), btoa('{"PublicKey":1}')]) {
    const told = it.verify(data, NOW_MS);
    equal(
      "reason" in told && told.reason,
      "MethodData must be base64 of JSON with PhraseSignature and PublicKey",
    );
  }
  for (const key of [weak, Buffer.from("nonsense"), Buffer.alloc(0)]) {
    const told = it.verify(answer(it.phrase(NOW_MS), key), NOW_MS);
    match("reason" in told ? told.reason : "", /PublicKey must be an RSA key of 2048 to 8192 bits/);
  }
});
