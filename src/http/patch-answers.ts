import { z } from 'zod'
import { type Answer, type Answers, JSON_TYPE, json, RETRY_AFTER, refusal } from './description.js'
import { RPC_STATUS } from './http-error.js'

/** Which answer it is: `applied`, `refused`, `stale`, `conflict` or `pending`. */
export const OUTCOME_HEADER = 'sift-run-updater-outcome'

const PREFERENCE_APPLIED = { 'preference-applied': { description: 'What of `Prefer` was honoured, if anything.' } }

const outcome = (which: string) => ({ [OUTCOME_HEADER]: { description: which }, ...PREFERENCE_APPLIED })

export const PREFER = z.object({
  prefer: z
    .string()
    .optional()
    .describe(
      '`wait=N`: how many seconds to wait for the outcome, 10 by default and 50 at most; `respond-async`: not at all.',
    ),
})

/** Details are what Sift made of them, and its proxies may answer with plain text, or with nothing. */
const SIFT_ERROR = z.union([
  RPC_STATUS,
  z.looseObject({ code: z.int(), message: z.string() }).describe("Sift's own answer."),
])

function siftRefused(description: string): Answer {
  return {
    description,
    content: { [JSON_TYPE]: SIFT_ERROR, 'text/plain': z.string() },
    headers: outcome('`refused`, where Sift did; missing otherwise'),
  }
}

/** Of `PATCH /api/v2/runs`: those of Sift, and those of a request that never came so far. */
export const PATCH_ANSWERS: Answers = {
  200: json(
    'The writes were applied (the answer of Sift), or are older than what is known.',
    z.object({ run: z.looseObject({ runId: z.string().exactOptional() }) }),
    outcome('`applied` or `stale`'),
  ),
  202: json(
    'Nothing was known in time. It is in Redis, and will be sent.',
    z.object({ run: z.object({ runId: z.string() }) }),
    { ...outcome('`pending`'), location: { description: 'Where to look for it.' } },
  ),
  400: {
    ...siftRefused('Sift refused a field; or another client key came first; or the update is malformed.'),
    headers: outcome('`refused` or `conflict`; missing where the update is malformed'),
  },
  403: siftRefused('Sift denies it; or the request comes from where it may not.'),
  404: siftRefused('Sift has no such run.'),
  409: siftRefused('Sift has such a value already.'),
  413: siftRefused('The body or the update is too large, here or for Sift.'),
  501: siftRefused('Sift does not implement it.'),
  503: refusal('The lane takes no new runs now, or Redis is away.', { ...RETRY_AFTER, ...PREFERENCE_APPLIED }),
  default: siftRefused('Whatever else Sift refused it with.'),
}
