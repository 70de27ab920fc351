/**
 * `/auth`: the challenge by which Bacalhau's clients get a token before their first call. It proves that the client
 * holds its key and names it; everybody may do everything until there are access tokens.
 */
import { Buffer } from "node:buffer";
import {
  createHash,
  createHmac,
  createPublicKey,
  createVerify,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { AppError } from "../../shared/errors.ts";
import { quote } from "../../shared/spec/problems.ts";
import type { Answers } from "./answer.ts";
import { fieldOf, readObject } from "./body.ts";
import type { Call, Door, Route } from "./door.ts";
import * as shapes from "./shapes.ts";

const METHOD = "ClientKey";
/** A phrase is good for this long and as long again: a recorded answer cannot be used for ever. */
const PHRASE_MS = 5 * 60_000;
/** Bits of an RSA key: more would only cost time. */
const KEY_BITS = { min: 2048, max: 8192 };

/** The routes of the challenge. */
export function authRoutes(door: Door, answers: Answers): Route[] {
  const challenge = new Challenge(door.about.nodeId, randomBytes(32));
  const method = () => ({
    type: "challenge",
    params: { InputPhrase: challenge.phrase(door.clock.wallMs()) },
  });
  return [
    {
      method: "get",
      path: "/auth",
      tag: "auth",
      summary: "How a client can say who it is",
      answer: shapes.AuthMethods,
      handle: (call) => answers.json(call, { NextToken: "", Methods: { [METHOD]: method() } }),
    },
    {
      method: "get",
      path: "/auth/{name}",
      tag: "auth",
      summary: "One way to say who it is",
      answer: shapes.AuthMethodAnswer,
      handle: (call) => answers.json(call, known(call) && method()),
    },
    {
      method: "post",
      path: "/auth/{name}",
      tag: "auth",
      summary: "Answer the challenge and get a token",
      body: shapes.AuthBody,
      answer: shapes.Authenticated,
      handle: async (call) => known(call) && await authenticate({ door, answers, challenge }, call),
    },
  ];
}

function known(call: Call): true {
  if (call.params.name === METHOD) return true;
  throw new AppError(
    "not_found",
    `Cannot find auth method ${quote(call.params.name)}: it must be "${METHOD}"`,
  );
}

async function authenticate(
  { door, answers, challenge }: { door: Door; answers: Answers; challenge: Challenge },
  call: Call,
): Promise<Response> {
  const body = await readObject(call.request, { clock: door.clock });
  const told = challenge.verify(fieldOf(body, "MethodData"), door.clock.wallMs());
  const isTrue = "token" in told;
  const Authentication = {
    success: isTrue,
    reason: isTrue ? "" : told.reason,
    token: isTrue ? told.token : "",
  };
  return answers.json(call, { Authentication }, isTrue ? 200 : 401);
}

/** Phrases to sign, and what their signatures are worth. Nothing is remembered between the two. */
export class Challenge {
  readonly #secret: Uint8Array;

  constructor(readonly nodeId: string, secret: Uint8Array) {
    this.#secret = secret;
  }

  /** base64 of what is to be signed at that time. */
  phrase(nowMs: number): string {
    return Buffer.from(this.#phrase(Math.floor(nowMs / PHRASE_MS))).toString("base64");
  }

  /** A token for who signed the phrase, or why there is none. `methodData`: base64 of JSON. */
  verify(methodData: unknown, nowMs: number): { token: string } | { reason: string } {
    const data = parseData(methodData);
    if (!data) return { reason: "MethodData must be base64 of JSON with PhraseSignature and PublicKey" };
    const key = parseKey(data.publicKey);
    if (!key) {
      return {
        reason: `PublicKey must be an RSA key of ${KEY_BITS.min} to ${KEY_BITS.max} bits in PKCS#1 DER`,
      };
    }
    const slot = Math.floor(nowMs / PHRASE_MS);
    const isSigned = [slot, slot - 1].some((it) => isSignature(key, this.#phrase(it), data.signature));
    if (!isSigned) return { reason: "the signature does not fit the phrase and the key" };
    const clientId = createHash("sha256").update(data.publicKey).digest("hex");
    return { token: `${clientId}.${this.#sign(clientId)}` };
  }

  #phrase(slot: number): string {
    return `${this.nodeId}.${slot}.${this.#sign(String(slot))}`;
  }

  #sign(text: string): string {
    return createHmac("sha256", this.#secret).update(text).digest("base64url");
  }
}

function parseData(methodData: unknown): { signature: Uint8Array; publicKey: Uint8Array } | undefined {
  if (typeof methodData !== "string" || methodData.length > 64 * 1024) return undefined;
  try {
    const data = JSON.parse(Buffer.from(methodData, "base64").toString("utf8"));
    const [signature, publicKey] = [fieldOf(data, "PhraseSignature"), fieldOf(data, "PublicKey")];
    if (typeof signature !== "string" || typeof publicKey !== "string") return undefined;
    return { signature: Buffer.from(signature, "base64"), publicKey: Buffer.from(publicKey, "base64") };
  } catch {
    return undefined;
  }
}

function parseKey(der: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: "der", type: "pkcs1" });
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    return key.asymmetricKeyType === "rsa" && bits >= KEY_BITS.min && bits <= KEY_BITS.max ? key : undefined;
  } catch {
    return undefined;
  }
}

function isSignature(key: KeyObject, phrase: string, signature: Uint8Array): boolean {
  try {
    return createVerify("RSA-SHA256").update(phrase).verify(key, signature);
  } catch {
    return false;
  }
}
