/** The library: a producer that takes updates of Sift runs in, and a worker that sends them. */

export type { RejectionCode } from './errors.js'
export { ConfigurationError, RedisUnavailableError, SiftRunUpdaterError, UpdateRejectedError } from './errors.js'
export type { FactEmitter, FactName, Facts } from './events.js'
export type { EnqueueResult } from './producer/enqueue-result.js'
export { EnqueueInterruptedError } from './producer/enqueue-result.js'
export type { ProducerOptions, RunUpdateProducer } from './producer/producer.js'
export { createProducer } from './producer/producer.js'
export type { RedisSource } from './redis/connection.js'
export type { RunUpdate } from './run/run-update.js'
export type { Rate } from './throttle/throttle.js'
export type { RunUpdateWorker, WorkerOptions } from './worker/worker.js'
export { createWorker } from './worker/worker.js'
