/** Golden files: what users and peers see, kept as text. `UPDATE_GOLDEN=1` writes them anew; the diff is the review. */
import assert from "node:assert/strict";

const FOLDER = new URL("../golden/", import.meta.url);

/** Fails unless the file of that name below `tests/golden` holds the text. */
export async function assertGolden(name: string, text: string): Promise<void> {
  const path = new URL(name, FOLDER);
  if (Deno.env.get("UPDATE_GOLDEN")) return await Deno.writeTextFile(path, text);
  const expected = await Deno.readTextFile(path).catch(() => "");
  assert.equal(text, expected, `tests/golden/${name} differs; UPDATE_GOLDEN=1 accepts it`);
}
