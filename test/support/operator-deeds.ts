import type { Queue } from 'bullmq'

/** What a person, or a script of theirs, may do to a queue by BullMQ's own means. */
const DEEDS: readonly ((queue: Queue, draw: () => number) => Promise<unknown>)[] = [
  async (queue, draw) => (await anyJob(queue, draw))?.remove(),
  async (queue, draw) => (await anyJob(queue, draw))?.retry(),
  async (queue, draw) => (await anyJob(queue, draw))?.promote(),
  async (queue, draw) => (await anyJob(queue, draw))?.changeDelay(1_000),
  async (queue, draw) => (await anyJob(queue, draw))?.updateData({ edited: true }),
  (queue) => queue.promoteJobs(),
  (queue) => queue.retryJobs(),
  (queue) => queue.clean(0, 1_000, 'completed'),
  (queue) => queue.clean(0, 1_000, 'delayed'),
  (queue) => queue.clean(0, 1_000, 'wait'),
  (queue) => queue.clean(0, 1_000, 'active'),
  (queue) => queue.drain(true),
  (queue) => queue.drain(),
  (queue) => queue.pause(),
  (queue) => queue.resume(),
  (queue) => queue.obliterate({ force: true }),
]

async function anyJob(queue: Queue, draw: () => number) {
  const jobs = await queue.getJobs(['delayed', 'waiting', 'active', 'completed', 'failed'], 0, 200)
  return jobs[Math.floor(draw() * jobs.length)]
}

/** One of them, as the draw has it. */
export async function doAnyDeed(queue: Queue, draw: () => number): Promise<void> {
  const deed = DEEDS[Math.floor(draw() * DEEDS.length)]
  // Most refuse what they can't do at this moment: that is no more than an error message to an operator.
  await deed?.(queue, draw).catch(() => {})
}
