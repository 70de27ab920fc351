/** A bug in Skerry itself. Nobody catches it: the supervisor lets the process end rather than go on wrongly. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Throws an `InvariantError` unless the condition holds. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** For the default branch of a switch over a union: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
