import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HttpError } from './http-error.js'

const MINUTE_MS = 60_000

/** How often one address may send the sign-in page, with whatever token. */
export const SIGN_INS = { max: 10, timeWindow: MINUTE_MS } as const

/** How often one address may show a wrong token in a header. A program whose token was changed tries again and again. */
const WRONG_TOKENS = { max: 100, timeWindow: MINUTE_MS } as const

/** To be called for each wrong token, and for wrong ones only: the right one is let in whatever came before. */
export type CountGuess = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Counts guesses by address. What it returns throws, with 429, once there were too many. */
export async function limitGuesses(server: FastifyInstance): Promise<CountGuess> {
  await server.register(rateLimit, {
    global: false,
    errorResponseBuilder: (_request, { after }) => new HttpError(429, `too many tries; try again in ${after}`),
  })
  const count = server.createRateLimit(WRONG_TOKENS)
  return async (request, reply) => {
    const guesses = await count(request)
    if (guesses.isAllowed || !guesses.isExceeded) return
    reply.header('retry-after', String(guesses.ttlInSeconds))
    throw new HttpError(429, `too many wrong tokens; try again in ${guesses.ttlInSeconds} s`)
  }
}
