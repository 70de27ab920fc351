/** The API's document, made from the routes themselves. Its library is loaded when the document is first asked for. */
import { z } from "zod";
import type { Route } from "./door.ts";
import * as explainShapes from "./explain_shapes.ts";
import { PruneBody, Pruned } from "./prune_shapes.ts";
import * as shapes from "./shapes.ts";

const DESCRIPTION =
  "Bacalhau's API, version 1, with additions that its clients pass over. Field names of requests " +
  "match in any casing. Every failure is answered with one envelope; `Details.code` is a code of docs/errors.md.";

type JsonSchema = Record<string, unknown>;
type RouteConfig = Parameters<
  InstanceType<typeof import("@hono/zod-openapi").OpenAPIHono>["openAPIRegistry"]["registerPath"]
>[0];

/** The document as a plain value. Same routes, same document. */
export async function openapiDocument(
  routes: readonly Route[],
  version: string,
): Promise<Record<string, unknown>> {
  const { OpenAPIHono } = await import("@hono/zod-openapi");
  const app = new OpenAPIHono();
  const { schemas, refTo } = namedSchemas();
  for (const [name, schema] of Object.entries(schemas)) {
    app.openAPIRegistry.registerComponent("schemas", name, schema);
  }
  for (const route of routes) app.openAPIRegistry.registerPath(describe(route, refTo));
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Skerry", version, description: DESCRIPTION, license: { name: "Apache-2.0" } },
  }) as unknown as Record<string, unknown>;
}

const refOf = (name: string) => `#/components/schemas/${name}`;

/** Every exported shape as JSON schema under its name; shapes within shapes become references. */
function namedSchemas(): { schemas: Record<string, JsonSchema>; refTo: (shape: z.ZodType) => JsonSchema } {
  const registry = z.registry<{ id: string }>();
  const names = new Map<z.ZodType, string>();
  for (const [name, shape] of Object.entries({ ...shapes, ...explainShapes, PruneBody, Pruned })) {
    registry.add(shape, { id: name });
    names.set(shape, name);
  }
  const { schemas } = z.toJSONSchema(registry, { io: "input", unrepresentable: "any", uri: refOf });
  const refTo = (shape: z.ZodType): JsonSchema => ({ $ref: refOf(names.get(shape) ?? "") });
  return {
    schemas: Object.fromEntries(Object.entries(schemas).map(([name, it]) => [name, plain(it)])),
    refTo,
  };
}

/** Without the parts that only a document of its own has. */
function plain(schema: JsonSchema): JsonSchema {
  const { $schema: _schema, $id: _id, ...rest } = schema;
  return rest;
}

function describe(route: Route, refTo: (shape: z.ZodType) => JsonSchema): RouteConfig {
  const content = (shape: z.ZodType) => ({ "application/json": { schema: refTo(shape) } });
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const inPath = names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } }));
  const inQuery = Object.entries(route.query?.shape ?? {}).map(([name, field]) => {
    const { description, ...schema } = plain(
      z.toJSONSchema(field as z.ZodType, { io: "input", unrepresentable: "any" }),
    );
    return { name, in: "query", ...(description !== undefined && { description }), schema };
  });
  return {
    method: route.method,
    path: `/api/v1${route.path}`,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description && { description: route.description }),
    parameters: [...inPath, ...inQuery],
    ...(route.body && { requestBody: { content: content(route.body) } }),
    responses: {
      200: { description: "Done", ...(route.answer && { content: content(route.answer) }) },
      default: { description: "Why not", content: content(shapes.ErrorEnvelope) },
    },
  } as RouteConfig;
}
