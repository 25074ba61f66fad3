import type { Queue } from 'bullmq'
import { type FastifyInstance, fastify } from 'fastify'
import { dashboard } from '../../../src/http/dashboard.js'
import { openIntakeQueue } from '../../../src/intake/intake-queue.js'
import type { Pipeline } from '../../support/pipeline.js'
import type { TestRedis } from '../../support/redis.js'

export interface Board {
  readonly server: FastifyInstance
  readonly intake: Queue
  /** What Bull Board's page does when a button is pressed; `path` comes after the queue's name. */
  press(queueName: string, method: 'GET' | 'POST' | 'PUT' | 'PATCH', path: string, body?: object): Promise<Pressed>
  /** The jobs that the page of a queue shows. */
  jobs(queueName: string, status: string): Promise<readonly ShownJob[]>
  close(): Promise<void>
}

export interface Pressed {
  readonly status: number
  readonly body: Record<string, unknown>
}

export interface ShownJob {
  readonly id: string
  readonly name: string
  readonly data: Readonly<Record<string, unknown>>
  readonly failedReason?: string
}

/** Bull Board on the lane of a pipeline, without the rest of the server. */
export async function startBoard({ lane, flushQueue, deadLetters }: Pipeline, testRedis: TestRedis): Promise<Board> {
  const redis = testRedis.client({ maxRetriesPerRequest: null })
  const intake = openIntakeQueue(redis, lane)
  const server = fastify()
  await server.register(dashboard, { prefix: '/dashboard', redis, lane, flushQueue, deadLetters })
  await server.ready()
  return {
    server,
    intake,
    async press(queueName, method, path, body) {
      const url = `/dashboard/api/queues/${queueName}${path}`
      const answer = await server.inject({ method, url, ...(body && { payload: body }) })
      return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json() }
    },
    async jobs(queueName, status) {
      const url = `/dashboard/api/queues?activeQueue=${queueName}&status=${status}`
      const { queues } = (await server.inject(url)).json<{ queues: { name: string; jobs: ShownJob[] }[] }>()
      return queues.find(({ name }) => name === queueName)?.jobs ?? []
    },
    async close() {
      await server.close()
      await intake.close()
    },
  }
}
