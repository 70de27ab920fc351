/** The smallest WASI program: an empty `_start`. */

/** (module (memory (export "memory") 1) (func (export "_start"))) */
export const TINY_MODULE = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x05, 0x03, 0x01, 0x00, 0x01],
  ...[0x07, 0x13, 0x02, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00],
  ...[0x06, 0x5f, 0x73, 0x74, 0x61, 0x72, 0x74, 0x00, 0x00],
  ...[0x0a, 0x04, 0x01, 0x02, 0x00, 0x0b],
]);

/** A job of the smallest program, in Bacalhau's words. */
export function tinyJob(change: { count?: number; cpu?: string } = {}): Record<string, unknown> {
  return {
    Type: "batch",
    Count: change.count ?? 1,
    Tasks: [{
      Name: "main",
      Engine: { Type: "wasm", Params: { EntryModule: "/main.wasm" } },
      InputSources: [{
        Source: {
          Type: "inline",
          Params: { URL: `data:application/wasm;base64,${btoa(String.fromCharCode(...TINY_MODULE))}` },
        },
        Target: "/main.wasm",
      }],
      Resources: { CPU: change.cpu ?? "100m", Memory: "64Mb" },
    }],
  };
}
