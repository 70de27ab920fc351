/** JSON without loss: whole numbers that JavaScript cannot hold, such as nanoseconds, become `bigint` and back. */

/** `JSON.rawJSON` and the source text of a value: in V8, not yet in TypeScript's library. */
interface ExactJson {
  parse(
    text: string,
    revive: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
}

const exact = JSON as unknown as ExactJson;

/** Throws `SyntaxError`. */
export function parseJson(text: string): unknown {
  return exact.parse(text, (_, value, { source }) => {
    if (typeof value !== "number" || Number.isSafeInteger(value) || !source || !/^-?\d+$/.test(source)) {
      return value;
    }
    return BigInt(source);
  });
}

/** What `parseJson` reads back. */
export function formatJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_, part) => typeof part === "bigint" ? exact.rawJSON(String(part)) : part,
    indent,
  );
}
