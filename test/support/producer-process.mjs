// A producer in a process of its own, for tests that kill it: options as JSON in the first argument. Says "ready" on its
// IPC channel, then answers each list of updates with what it was told of them. With `diesAfterMerge` it ends as if by
// the kernel's hand at the first merge: the writes are in Redis, and no flush job is added.

import { orderOf } from '../../dist/producer/enqueue-result.js'
import { createProducer } from '../../dist/producer/producer.js'

const { diesAfterMerge, ...options } = JSON.parse(process.argv[2])
const producer = createProducer(options)
if (diesAfterMerge) producer.facts.on('update:merged', () => process.kill(process.pid, 'SIGKILL'))
process.on('message', async (updates) => {
  const results = await producer.enqueueMany(updates).catch((error) => error.results ?? [])
  process.send(
    results.map((result) => ({
      status: result.status,
      staleFields: result.staleFields,
      conflictFields: result.conflictFields,
      order: orderOf(result),
    })),
  )
})
// Its parent is gone: nobody would end it.
process.on('disconnect', () => process.exit())
process.send('ready')
