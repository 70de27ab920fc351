/** The API's document, made from the routes themselves. Its library is loaded when the document is first asked for. */
import type { z } from "zod";
import type { Route } from "./door.ts";
import * as shapes from "./shapes.ts";

const DESCRIPTION =
  "Bacalhau's API, version 1, with additions that its clients pass over. Field names of requests match in " +
  "any casing. Every failure is answered with one envelope; `Details.code` is a code of docs/errors.md.";

const JSON_TYPE = "application/json";

/** The document as a plain value. Same routes, same document. */
export async function openapiDocument(
  routes: readonly Route[],
  version: string,
): Promise<Record<string, unknown>> {
  const { OpenAPIHono, z } = await import("@hono/zod-openapi");
  const { openAPIRegistry: registry, ...app } = new OpenAPIHono();
  void app;
  const envelope = registry.register("Error", shapes.ErrorEnvelope);
  for (const [name, schema] of Object.entries(NAMED)) registry.register(name, schema);
  for (const route of routes) {
    const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
    const params = z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
    registry.registerPath({
      method: route.method,
      path: `/api/v1${route.path}`,
      tags: [route.tag],
      summary: route.summary,
      ...(route.description && { description: route.description }),
      request: {
        ...(names.length > 0 && { params }),
        ...(route.query && { query: route.query }),
        ...(route.body && { body: { content: { [JSON_TYPE]: { schema: route.body } } } }),
      },
      responses: {
        200: answerOf(route.answer),
        default: { description: "Why not", content: { [JSON_TYPE]: { schema: envelope } } },
      },
    });
  }
  const documented = new OpenAPIHono();
  documented.openAPIRegistry.definitions.push(...registry.definitions);
  return documented.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Skerry", version, description: DESCRIPTION, license: { name: "Apache-2.0" } },
  }) as unknown as Record<string, unknown>;
}

/** Shapes that the document names and refers to. */
const NAMED = {
  Job: shapes.Job,
  Execution: shapes.Execution,
  Node: shapes.Node,
  NodeInfo: shapes.NodeInfo,
};

function answerOf(schema: z.ZodType | undefined) {
  return { description: "Done", ...(schema && { content: { [JSON_TYPE]: { schema } } }) };
}
