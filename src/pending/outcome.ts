/**
 * What became of writes that somebody waits for, as it is announced on the lane's channel by the very step that takes
 * them out of the pending update.
 */
import { isJsonObject } from '../run/json-object.js'
import type { Order } from './entry.js'

/** Sift's answer, word for word. */
export interface SiftAnswer {
  readonly status: number
  readonly body: string
}

export interface EndedWrites {
  readonly runId: string
  readonly outcome: 'applied' | 'refused'
  /** By path: the order of the write, among all of its field. */
  readonly writes: ReadonlyMap<string, Order>
  /** Absent where it was a finding of ours, or no answer came: then `message` says what is known. */
  readonly answer?: SiftAnswer
  readonly message: string
}

export function orders(entries: readonly (Order & { readonly path: string })[]): ReadonlyMap<string, Order> {
  return new Map(entries.map(({ path, observedUs, tie, sequence }) => [path, { observedUs, tie, sequence }]))
}

/** Whether the first order is the second, or a newer one. */
export function isAtLeast(order: Order, other: Order): boolean {
  if (order.observedUs !== other.observedUs) return order.observedUs > other.observedUs
  if (order.tie !== other.tie) return order.tie > other.tie
  return order.sequence >= other.sequence
}

export function toAnnouncement({ writes, ...rest }: EndedWrites): string {
  return JSON.stringify({ ...rest, writes: [...writes] })
}

/** Undefined where another program, or another version, has published something else. */
export function readAnnouncement(text: string): EndedWrites | undefined {
  try {
    const ended: unknown = JSON.parse(text)
    if (!isJsonObject(ended) || typeof ended.runId !== 'string' || !Array.isArray(ended.writes)) return undefined
    return { ...(ended as unknown as EndedWrites), writes: new Map(ended.writes as [string, Order][]) }
  } catch {
    return undefined
  }
}
