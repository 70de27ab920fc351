/**
 * Plugin of `deno lint`: files in a `core` folder are pure. Time, chance and ids enter as arguments; nothing waits and
 * nothing reaches outside. Its tests are in `lint_core_test.ts`.
 */

/** Globals that tell the time, draw lots, or reach outside. */
const IMPURE_GLOBALS: ReadonlySet<string> = new Set([
  ...["Date", "performance", "Temporal", "crypto", "Deno", "process", "globalThis", "console"],
  ...["fetch", "WebSocket", "Worker", "localStorage", "sessionStorage", "navigator", "BroadcastChannel"],
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "Promise", "Intl"],
]);

const isCore = (path: string): boolean =>
  /[\\/]core[\\/][^\\/]+\.ts$/.test(path) && !path.endsWith("_test.ts");

/** Whether the identifier is only a name: a property, a key, or the label of something. */
function isOnlyName(node: Deno.lint.Identifier): boolean {
  const parent = node.parent;
  switch (parent.type) {
    case "MemberExpression":
      return parent.property === node && !parent.computed;
    case "Property":
      return parent.key === node && !parent.computed;
    case "PropertyDefinition":
    case "MethodDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return parent.key === node && !parent.computed;
    default:
      return false;
  }
}

const pure: Deno.lint.Rule = {
  create(context) {
    if (!isCore(context.filename)) return {};
    const report = (node: Deno.lint.Node, what: string, hint: string) =>
      context.report({ node, message: `core must be pure: ${what}`, hint });
    const refuseAsync = (node: { async: boolean } & Deno.lint.Node) => {
      if (node.async) report(node, "async function", "Return a value; the shell in flow/ awaits.");
    };
    const refuseImport = (node: Deno.lint.Node, source: string) => {
      if (!source.startsWith(".")) report(node, `import of "${source}"`, "Import the model and core only.");
    };
    return {
      Identifier(node) {
        if (IMPURE_GLOBALS.has(node.name) && !isOnlyName(node)) {
          report(node, node.name, "Take the value as an argument.");
        }
      },
      MemberExpression(node) {
        const { object, property } = node;
        if (
          object.type === "Identifier" && object.name === "Math" && property.type === "Identifier" &&
          property.name === "random"
        ) {
          report(node, "Math.random", "Take the drawn value as an argument.");
        }
      },
      FunctionDeclaration: refuseAsync,
      FunctionExpression: refuseAsync,
      ArrowFunctionExpression: refuseAsync,
      AwaitExpression(node) {
        report(node, "await", "Return a value; the shell in flow/ awaits.");
      },
      ForOfStatement(node) {
        if (node.await) report(node, "for await", "Take the values as an argument.");
      },
      ImportDeclaration(node) {
        refuseImport(node, node.source.value);
      },
      ImportExpression(node) {
        report(node, "import()", "Import at the top of the file.");
      },
    };
  },
};

/** The plugin, as `lint.plugins` in deno.json names it: the one default export that Deno asks for. */
const plugin: Deno.lint.Plugin = { name: "skerry", rules: { "pure-core": pure } };
export default plugin;
