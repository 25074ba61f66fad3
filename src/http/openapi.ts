import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { createJsonSchemaTransform } from 'fastify-type-provider-zod'
import { type OpenApiDocument, renderDocs } from './docs-page.js'

const describeRoute = createJsonSchemaTransform({
  // What a client sends: the parser gives it its one form.
  zodToJsonConfig: { io: 'input', unrepresentable: 'any' } as never,
})

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
        { name: 'health', description: 'For load balancers and orchestrators' },
      ],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: (route) =>
      route.schema?.tags ? describeRoute(route) : { schema: { ...route.schema, hide: true }, url: route.url },
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
