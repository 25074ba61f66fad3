import {
  bool,
  double,
  duration,
  enumeration,
  fieldMask,
  list,
  type Message,
  message,
  string,
  timestamp,
} from './proto-json.js'
import { invalidArgument } from './status.js'

const metadataValue = message({
  key: message({
    name: string,
    type: enumeration([
      'METADATA_KEY_TYPE_UNSPECIFIED',
      'METADATA_KEY_TYPE_STRING',
      'METADATA_KEY_TYPE_NUMBER',
      'METADATA_KEY_TYPE_BOOLEAN',
    ]),
    archivedDate: timestamp,
  }),
  stringValue: string,
  numberValue: double,
  booleanValue: bool,
  archivedDate: timestamp,
})

export type MetadataMessage = ReturnType<typeof metadataValue>

const UPDATABLE = {
  name: string,
  description: string,
  startTime: timestamp,
  stopTime: timestamp,
  isPinned: bool,
  clientKey: string,
  tags: list(string),
  metadata: list(metadataValue),
  isArchived: bool,
}

const NOT_UPDATABLE = {
  runId: string,
  createdDate: timestamp,
  modifiedDate: timestamp,
  createdByUserId: string,
  modifiedByUserId: string,
  organizationId: string,
  assetIds: list(string),
  isAdhoc: bool,
  defaultReportId: string,
  archivedDate: timestamp,
  duration,
}

const updateRunRequest = message({ run: message({ ...UPDATABLE, ...NOT_UPDATABLE }), updateMask: fieldMask })

export type UpdatablePath = keyof typeof UPDATABLE

/** The values of the updatable fields; an absent one has its default. */
export type RunFields = Message<typeof UPDATABLE>

/** A well-formed UpdateRunRequest, not yet held against the run that it names. */
export interface UpdateRequest {
  readonly runId: string
  /** At least one path. */
  readonly mask: readonly UpdatablePath[]
  readonly fields: RunFields
}

/** Decodes the body of a PATCH. Throws `StatusError` (code 3) where the gateway or the server would refuse it unseen. */
export function decodeUpdateRequest(json: unknown): UpdateRequest {
  const { run, updateMask = [] } = updateRunRequest(json, 'request')
  if (!run?.runId) throw invalidArgument('run.run_id is required')
  if (updateMask.length === 0) throw invalidArgument('update_mask must name at least one field')
  return { runId: run.runId, mask: updateMask.map(updatablePath), fields: run }
}

/** Decodes the fields alone. Throws `StatusError` (code 3). */
export const decodeRunFields = message(UPDATABLE)

export function isUpdatable(path: string): path is UpdatablePath {
  return Object.hasOwn(UPDATABLE, path)
}

function updatablePath(path: string): UpdatablePath {
  if (isUpdatable(path)) return path
  if (Object.hasOwn(NOT_UPDATABLE, path)) throw invalidArgument(`${path} cannot be updated`)
  throw invalidArgument(`update_mask names an unknown field: ${path}`)
}
