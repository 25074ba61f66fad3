import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { HTTPStatus } from '@bull-board/api/typings/app'
import { FastifyAdapter } from '@bull-board/fastify'
import type { FastifyPluginAsync } from 'fastify'
import type { Redis } from 'ioredis'
import type { DeadLetters } from '../dead-letters/dead-letters.js'
import type { FlushQueue } from '../flush-queue/flush-queue.js'
import { openIntakeQueue } from '../intake/intake-queue.js'
import type { Lane } from '../redis/lane.js'
import { isRedisTrouble } from '../redis/trouble.js'
import { guardQueues } from './dashboard-guard.js'
import { withoutInlineStyle } from './dashboard-page.js'
import { DeadLettersAdapter, FlushJobsAdapter } from './dashboard-queues.js'

export interface DashboardParts {
  readonly redis: Redis
  readonly lane: Lane
  readonly flushQueue: FlushQueue
  readonly deadLetters: DeadLetters
}

const DESCRIPTIONS = {
  flush:
    'One job a run that has something pending. Each shows the merged update that is pending now; it is sent as one PATCH.',
  intake:
    'Updates added by BullMQ clients of any language. A worker takes each in at once; a bad one fails, and says why.',
  deadLetters:
    'Fields that Sift refused, each with its cause. Retry sends one again, in its original order; removing discards it.',
} as const

/**
 * Bull Board knows no setting for single buttons. Those that the guard refuses are hidden here, so that nobody looks for
 * what they do: limiting, emptying and obliterating any queue, which end its menu, cleaning all dead letters, adding to
 * and copying in the queues that updates make, and editing flush jobs or putting them off. Where a selector no longer
 * fits another version, they are seen again, and refused as ever.
 */
const styleSheet = ({
  queueName,
  deadLetterQueueName,
}: Lane): string => `.preload { background: Canvas; color: CanvasText }
[role="menuitem"][class*="danger-"], [role="menuitem"]:has(+ [class*="danger-"]), [role="menuitem"]:has(+ * + [class*="danger-"]), [role="menuitem"]:has(+ * + * + [class*="danger-"]) { display: none }
${pageOf(deadLetterQueueName)} ul[class*="queueActions-"] > li:last-child:not(:first-child) { display: none }
:is(${pageOf(queueName)}, ${pageOf(deadLetterQueueName)}) :is([role="menuitem"]:has(.lucide-plus), ul[class*="jobActions-"] > li:has(.lucide-files)) { display: none }
${pageOf(queueName)} ul[class*="jobActions-"] > li:has(.lucide-pencil, .lucide-clock, .lucide-arrow-up-down) { display: none }
`

/** Neither the whole name of another queue nor its beginning: that of the flush jobs begins the other two. */
function pageOf(queueName: string): string {
  return `body:has(a[aria-current="page"]:is([href$="/queue/${queueName}"], [href*="/queue/${queueName}?"]))`
}

/**
 * The editors of a job's data and options are CodeMirror, which writes its style sheet into an element of its own as it
 * goes, without a nonce or a text that could be hashed. So this page, and no other, lets its scripts add style elements;
 * style attributes in markup and scripts that are not this host's stay refused.
 */
const OF_EDITORS = "style-src-elem 'self' 'unsafe-inline'"

/** Bull Board with the queues of a lane, below `prefix`. */
export const dashboard: FastifyPluginAsync<DashboardParts & { prefix: string }> = async (server, parts) => {
  const { redis, lane, flushQueue, deadLetters, prefix } = parts
  const intake = openIntakeQueue(redis, lane)
  // Not waited for: where Redis is away, its end would be that of the outage.
  server.addHook('onClose', async () => void intake.close().catch(() => {}))
  const board = new FastifyAdapter()
  board.setBasePath(prefix)
  createBullBoard({
    queues: [
      new FlushJobsAdapter(flushQueue.queue, redis, lane, {
        displayName: 'Flush jobs',
        description: DESCRIPTIONS.flush,
      }),
      new BullMQAdapter(intake, { displayName: 'Intake', description: DESCRIPTIONS.intake }),
      new DeadLettersAdapter(deadLetters, { displayName: 'Dead letters', description: DESCRIPTIONS.deadLetters }),
    ],
    serverAdapter: board,
    options: {
      uiConfig: {
        boardTitle: `Queues of ${lane.queueName}`,
        hideDocsLink: true,
        // Its icon has an inline style of its own, which the Content-Security-Policy refuses.
        hideRedisDetails: true,
        miscLinks: [{ text: 'Overview', url: '/' }],
      },
      handlerHooks: { before: guardQueues(lane, intake) },
    },
  })
  // BullMQ refuses by throwing what no longer fits (promoting a job that is not delayed): that is no fault of ours.
  board.setErrorHandler((error) => {
    const status = statusOf(error)
    return { status, body: { error: headlineOf(status), message: error.message } }
  })
  server.addHook('onSend', async (_request, reply, payload) => {
    const isPage = String(reply.getHeader('content-type') ?? '').startsWith('text/html')
    if (!isPage || typeof payload !== 'string') return payload
    // Its links hang on its base, which is this host's.
    const policy = String(reply.getHeader('content-security-policy') ?? '')
    reply.header('content-security-policy', `${policy.replace("base-uri 'none'", "base-uri 'self'")};${OF_EDITORS}`)
    return withoutInlineStyle(payload, 'dashboard.css')
  })
  server.get('/dashboard.css', async (_request, reply) => reply.type('text/css').send(styleSheet(lane)))
  await server.register(board.registerPlugin())
}

/** BullMQ numbers its own refusals, all below zero, but for one: a job that a worker has in hand stays. */
function isRefusal(error: Error): boolean {
  if (error.message.endsWith('is locked by another worker')) return true
  return 'code' in error && typeof error.code === 'number' && error.code < 0
}

function statusOf(error: Error): HTTPStatus {
  if (isRefusal(error)) return 409
  // What fastify refuses before a handler has it: a body that is no JSON, or too large.
  if ('statusCode' in error) return error.statusCode as HTTPStatus
  // Bull Board's own list of statuses lacks 503; the adapter hands on any.
  return isRedisTrouble(error) ? (503 as HTTPStatus) : 500
}

/** Bull Board's page shows a text as it is, above the message, and looks a key up in its own list, which has no fitting one. */
function headlineOf(status: HTTPStatus): string | { readonly key: 'ERRORS.INTERNAL_SERVER_ERROR' } {
  if (status === 409) return 'That can’t be done now'
  if ((status as number) === 503) return 'Redis does not answer'
  return status < 500 ? 'That was refused' : { key: 'ERRORS.INTERNAL_SERVER_ERROR' }
}
