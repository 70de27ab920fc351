/** Requirements on a node's labels, in Kubernetes' selector words. */
import { z } from "zod";

/** How a label is compared. */
export const Operator = z.enum(["=", "==", "!=", "in", "notin", "exists", "!", "gt", "lt"]);
export type Operator = z.infer<typeof Operator>;

/** One requirement. */
export const Constraint = z.object({ key: z.string(), operator: Operator, values: z.array(z.string()) });
export type Constraint = Readonly<z.infer<typeof Constraint>>;

/** Whether one set of labels satisfies one constraint. `gt` and `lt` compare whole numbers; anything else is no. */
export function matches(constraint: Constraint, labels: Readonly<Record<string, string>>): boolean {
  const label = Object.hasOwn(labels, constraint.key) ? labels[constraint.key] : undefined;
  switch (constraint.operator) {
    case "exists":
      return label !== undefined;
    case "!":
      return label === undefined;
    case "=":
    case "==":
    case "in":
      return label !== undefined && constraint.values.includes(label);
    case "!=":
    case "notin":
      return label === undefined || !constraint.values.includes(label);
    case "gt":
    case "lt":
      return label !== undefined && compare(label, constraint);
  }
}

function compare(label: string, { operator, values }: Constraint): boolean {
  const [left, right] = [wholeNumber(label), wholeNumber(values[0] ?? "")];
  if (left === undefined || right === undefined) return false;
  return operator === "gt" ? left > right : left < right;
}

function wholeNumber(text: string): bigint | undefined {
  return /^[+-]?\d{1,19}$/.test(text) ? BigInt(text.replace("+", "")) : undefined;
}

/** `key in (a,b)`: as a user would write it. */
export function formatConstraint({ key, operator, values }: Constraint): string {
  if (operator === "exists") return key;
  if (operator === "!") return `!${key}`;
  if (operator === "in" || operator === "notin") return `${key} ${operator} (${values.join(",")})`;
  return `${key}${{ gt: ">", lt: "<" }[operator as string] ?? operator}${values[0] ?? ""}`;
}
