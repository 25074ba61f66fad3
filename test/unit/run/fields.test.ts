import { describe, expect, it } from 'vitest'
import { FIELDS, fieldByPath, OUTPUT_ONLY_FIELDS } from '../../../src/run/fields.js'

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

describe('the field table', () => {
  it('lists the fields in the order of masks', () => {
    expect(FIELDS.map(({ path }) => path).join()).toBe(
      'name,description,startTime,stopTime,isPinned,clientKey,tags,metadata,isArchived',
    )
  })

  it.each([...FIELDS, ...OUTPUT_ONLY_FIELDS])('$path and $protoName are two spellings of one name', (field) => {
    expect(field.protoName).toBe(snakeCase(field.path))
  })

  it('names no field twice', () => {
    const paths = [...FIELDS, ...OUTPUT_ONLY_FIELDS].map(({ path }) => path)
    expect(new Set(paths).size).toBe(paths.length)
  })

  it('lets only the client key stay as it first came', () => {
    expect(FIELDS.filter(({ merge }) => merge === 'first').map(({ path }) => path)).toEqual(['clientKey'])
  })

  it('finds a row by its path, and none for what an object inherits', () => {
    expect(fieldByPath('stopTime').protoName).toBe('stop_time')
    for (const path of ['stop_time', 'organizationId', 'constructor', '__proto__', '']) {
      expect(fieldByPath(path)).toBeUndefined()
    }
  })
})
