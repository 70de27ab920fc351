/** The first message of a TLS client, made by hand. */

/** A ClientHello that asks for a server by name; `secondName` asks for another in a second extension. */
export function aClientHello(
  name: string | undefined,
  options: { fragmentBytes?: number; secondName?: string } = {},
): Uint8Array {
  const names = [name, options.secondName].filter((it) => it !== undefined);
  const extensions = names.flatMap((it) => {
    const text = [...new TextEncoder().encode(it)];
    return [0, 0, ...vector(2, vector(2, [0, ...vector(2, text)]))];
  });
  const random = Array(32).fill(7);
  const body = [3, 3, ...random, ...vector(1, []), ...vector(2, [0x13, 0x01]), ...vector(1, [0])];
  const message = [1, ...vector(3, [...body, ...vector(2, [0xff, 0x01, 0, 1, 0, ...extensions])])];
  const fragmentBytes = options.fragmentBytes ?? message.length;
  const records: number[] = [];
  for (let at = 0; at < message.length; at += fragmentBytes) {
    records.push(22, 3, 1, ...vector(2, message.slice(at, at + fragmentBytes)));
  }
  return new Uint8Array(records);
}

function vector(lengthBytes: number, bytes: readonly number[]): number[] {
  const length = Array.from(
    { length: lengthBytes },
    (_, at) => (bytes.length >> (8 * (lengthBytes - 1 - at))) & 255,
  );
  return [...length, ...bytes];
}
