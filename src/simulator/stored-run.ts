import { parseTimestamp } from '../run/timestamp.js'
import { checkMetadata, type StoredMetadata } from './metadata.js'
import { invalidArgument, RPC_CODE, StatusError } from './status.js'
import type { UpdatablePath, UpdateRequest } from './update-request.js'

/** A run as the simulator keeps it, under the names of the API's JSON. What is undefined is unset, and not answered. */
export interface StoredRun {
  readonly runId: string
  readonly name: string
  readonly description: string
  readonly startTime: string | undefined
  readonly stopTime: string | undefined
  readonly isPinned: boolean
  readonly clientKey: string | undefined
  readonly tags: readonly string[]
  readonly metadata: readonly StoredMetadata[]
  readonly isArchived: boolean
  readonly archivedDate: string | undefined
  readonly createdDate: string
  readonly modifiedDate: string
  readonly createdByUserId: string
  readonly modifiedByUserId: string
  readonly organizationId: string
  readonly assetIds: readonly string[]
  readonly isAdhoc: boolean
}

type UpdatableState = Pick<StoredRun, UpdatablePath>

const CLEARED: Omit<UpdatableState, 'name' | 'clientKey'> = {
  description: '',
  startTime: undefined,
  stopTime: undefined,
  isPinned: false,
  tags: [],
  metadata: [],
  isArchived: false,
}

const USER_ID = 'simulated-user'

/** A run that has nothing but its name. `date`: RFC 3339. */
export function newRun(runId: string, date: string): StoredRun {
  return {
    runId,
    name: runId,
    clientKey: undefined,
    ...CLEARED,
    archivedDate: undefined,
    createdDate: date,
    modifiedDate: date,
    createdByUserId: USER_ID,
    modifiedByUserId: USER_ID,
    organizationId: 'simulated-organization',
    assetIds: [],
    isAdhoc: false,
  }
}

export interface UpdateContext {
  /** RFC 3339. */
  readonly date: string
  readonly isClientKeyTaken: (clientKey: string) => boolean
}

/**
 * The run after the update, which is taken as a whole or not at all; `run` itself is left as it is.
 *
 * - A field in the mask and absent from the request is cleared; the name and the client key can't be.
 * - The client key is set once, ever: sending the same one again is refused as well.
 * - Start must be before stop in the run that comes out, to the nanosecond, whichever of them the update names.
 *
 * Throws `StatusError`: code 3, 9 (the run has a client key) or 6 (another run has that one).
 */
export function applyUpdate(run: StoredRun, { mask, fields }: UpdateRequest, around: UpdateContext): StoredRun {
  let state: UpdatableState = run
  for (const path of mask) {
    switch (path) {
      case 'name':
        state = { ...state, name: requireValue(path, fields.name) }
        break
      case 'clientKey':
        state = { ...state, clientKey: firstClientKey(run, requireValue(path, fields.clientKey), around) }
        break
      case 'metadata':
        state = { ...state, metadata: checkMetadata(fields.metadata ?? []) }
        break
      default:
        state = { ...state, [path]: fields[path] ?? CLEARED[path] }
    }
  }
  checkTimes(state)
  return { ...run, ...state, archivedDate: archivedDate(run, state, around.date), modifiedDate: around.date }
}

function requireValue(path: UpdatablePath, value: string | undefined): string {
  // An empty string is the default of a proto3 string: the server can't tell it from an absent one.
  if (!value) throw invalidArgument(`${path} cannot be cleared`)
  return value
}

function firstClientKey(run: StoredRun, clientKey: string, { isClientKeyTaken }: UpdateContext): string {
  if (run.clientKey !== undefined) {
    throw new StatusError({ code: RPC_CODE.failedPrecondition, message: 'client_key has already been set' })
  }
  if (isClientKeyTaken(clientKey)) {
    throw new StatusError({ code: RPC_CODE.alreadyExists, message: `client_key "${clientKey}" is already in use` })
  }
  return clientKey
}

function checkTimes({ startTime, stopTime }: UpdatableState): void {
  const start = nanoseconds(startTime)
  const stop = nanoseconds(stopTime)
  if (start !== undefined && stop !== undefined && start >= stop) {
    throw invalidArgument(`start_time ${startTime} must be before stop_time ${stopTime}`)
  }
}

function nanoseconds(time: string | undefined): bigint | undefined {
  return time === undefined ? undefined : parseTimestamp(time)?.nanoseconds
}

function archivedDate(before: StoredRun, after: UpdatableState, date: string): string | undefined {
  return after.isArchived ? (before.archivedDate ?? date) : undefined
}
