/** Entry of a child when the program runs from source: imports no more than a child needs. */
import { runWasmChild } from "./wasm_child.ts";

await runWasmChild();
