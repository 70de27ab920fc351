/** Label selectors in Kubernetes' syntax: `k=v, k!=v, k in (a,b), k notin (a), k, !k, k>1, k<5`. */
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Constraint, type Constraint as ConstraintType } from "../model/constraint.ts";
import { quote } from "./problems.ts";

const KEY = "[A-Za-z0-9_./-]+";
const VALUE = "[^\\s,()=!<>]*";
const FORMS: readonly { form: RegExp; read: (found: RegExpExecArray) => ConstraintType }[] = [
  {
    form: new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`, "i"),
    read: ([, key = "", operator = "", values = ""]) =>
      Constraint.parse({
        key,
        operator: operator.toLowerCase(),
        values: values.split(",").map((it) => it.trim()),
      }),
  },
  {
    form: new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*(${VALUE})$`),
    read: ([, key = "", operator = "", value = ""]) => Constraint.parse({ key, operator, values: [value] }),
  },
  {
    form: new RegExp(`^(${KEY})\\s*([<>])\\s*([+-]?\\d{1,18})$`),
    read: ([, key = "", sign = "", value = ""]) => ({
      key,
      operator: sign === ">" ? "gt" : "lt",
      values: [value],
    }),
  },
  { form: new RegExp(`^!\\s*(${KEY})$`), read: ([, key = ""]) => ({ key, operator: "!", values: [] }) },
  { form: new RegExp(`^(${KEY})$`), read: ([, key = ""]) => ({ key, operator: "exists", values: [] }) },
];

/** Every requirement of a selector; blank is none. Throws `bad_request` with the part that cannot be read. */
export function parseSelector(text: string): ConstraintType[] {
  if (text.trim() === "") return [];
  const parts = text.split(/,(?![^(]*\))/);
  if (parts.length > LIMITS.constraintsMax) {
    throw unreadable(text, `must have at most ${LIMITS.constraintsMax} parts`);
  }
  return parts.map((part) => {
    const trimmed = part.trim();
    for (const { form, read } of FORMS) {
      const found = form.exec(trimmed);
      if (found) return read(found);
    }
    throw unreadable(part, "must be like key=value, key!=value, key in (a,b), key, !key, key>1");
  });
}

function unreadable(part: string, must: string): AppError {
  return new AppError("bad_request", `Cannot read the selector: ${must}, current value is ${quote(part)}`);
}
