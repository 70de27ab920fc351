/** The executable. It looks at one word and loads nothing that this word does not need. */

/** Runs one command and returns its exit code. */
async function run(args: readonly string[]): Promise<number> {
  if (args[0] === "__wasm") {
    const { runWasmChild } = await import("./agent/engines/wasm_child.ts");
    await runWasmChild();
    return 0;
  }
  const { main } = await import("./cli/main.ts");
  return await main(args);
}

if (import.meta.main) Deno.exit(await run(Deno.args));
