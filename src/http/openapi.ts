import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import { type Answers, answersOf, JSON_TYPE, NDJSON_TYPE } from './description.js'
import { type OpenApiDocument, renderDocs } from './docs-page.js'

type Transform = NonNullable<FastifyDynamicSwaggerOptions['transform']>
type RouteOfDocument = Parameters<Transform>[0]

const COMPONENT = /"#\/components\/schemas\/(\w+)"/g

const toJsonSchemas = createJsonSchemaTransform({})
const addComponents = createJsonSchemaTransformObject({})

/** Describes every route that is registered after it and has a tag; pages and their parts have none. */
export async function describeRoutes(server: FastifyInstance): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'sift-run-updater',
        version: '1',
        description: 'Takes partial updates of Sift runs, merges them, and sends each run as one PATCH.',
      },
      tags: [
        { name: 'feeding', description: 'Updates in' },
        { name: 'running', description: 'What operators look at and change' },
        { name: 'health', description: 'For load balancers, orchestrators and Prometheus' },
      ],
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: "The server's AUTH_TOKEN; asked for once it is set." },
        },
      },
      security: [{ token: [] }],
    },
    transform: (route) =>
      route.schema?.tags ? describeRoute(route) : { schema: { ...route.schema, hide: true }, url: route.url },
    transformObject: (document) => withOptionalBodies(withoutUnused(addComponents(document))),
  })
}

/** `/openapi.json`, and `/docs`: a readable page of it. */
export function serveDescription(server: FastifyInstance): void {
  const schema = { hide: true }
  server.get('/openapi.json', { schema }, async () => server.swagger())
  server.get('/docs', { schema }, async (_request, reply) => {
    return reply.type('text/html; charset=utf-8').send(renderDocs(server.swagger() as OpenApiDocument))
  })
}

function describeRoute(document: RouteOfDocument): ReturnType<Transform> {
  const { schema, route } = document
  const { config, method } = route
  const { answers = {}, headers, line } = config?.described ?? {}
  const isOpen = config?.isOpen === true
  const kind = { isOpen, hasBody: method !== 'GET', hasParams: !!schema.params, hasQuery: !!schema.querystring }
  const all = answersOf(kind, answers)
  const { schema: described, url } = toJsonSchemas({
    ...document,
    schema: { ...schema, headers, response: contentsOf(all) } as FastifySchema,
  })
  const { body, response } = described as { body?: object; response: Record<string, object> }
  for (const [status, answer] of Object.entries(all)) Object.assign(response[status] ?? {}, headersOf(answer))
  return {
    url,
    schema: {
      ...described,
      security: isOpen ? [] : [{ token: [] }],
      ...(line && {
        body: { content: { [JSON_TYPE]: { schema: body }, [NDJSON_TYPE]: { schema: inputOf(document, line) } } },
      }),
    } as FastifySchema,
  }
}

function contentsOf(answers: Answers): object {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, content }]) => [
      status,
      {
        description,
        content: Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }])),
      },
    ]),
  )
}

function headersOf({ headers }: Answers[number]): object {
  if (!headers) return {}
  return {
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, { description }]) => [name, { type: 'string', description }]),
    ),
  }
}

function inputOf(document: RouteOfDocument, line: z.ZodType): unknown {
  return (toJsonSchemas({ ...document, schema: { body: line } }).schema as { body: unknown }).body
}

/** Every schema with an id comes in two forms, as it is sent and as it is answered: those that nobody names are dropped. */
function withoutUnused<Document extends object>(document: Document): Document {
  const { paths, components: { schemas = {}, ...others } = {} } = document as Partial<OpenApiDocument>
  const used = new Set<string>()
  const note = (part: unknown): void => {
    for (const [, name = ''] of JSON.stringify(part).matchAll(COMPONENT)) {
      if (used.has(name)) continue
      used.add(name)
      note(schemas[name] ?? {})
    }
  }
  note(paths)
  const kept = Object.entries(schemas).filter(([name]) => used.has(name))
  return { ...document, components: { ...others, schemas: Object.fromEntries(kept) } }
}

/** A body that may be null may be left out, which no schema of a body can say. */
function withOptionalBodies<Document extends object>(document: Document): Document {
  const { paths = {} } = document as Partial<OpenApiDocument>
  for (const { requestBody } of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    const { anyOf = [] } = (requestBody?.content?.[JSON_TYPE]?.schema ?? {}) as { anyOf?: { type?: string }[] }
    if (requestBody && anyOf.some(({ type }) => type === 'null')) Object.assign(requestBody, { required: false })
  }
  return document
}
