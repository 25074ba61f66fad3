import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { type Dispatcher, request } from 'undici'
import { expect } from 'vitest'

interface Answer {
  readonly description: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>
}

export interface DescribedOperation {
  readonly security?: readonly object[]
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, unknown>> }
  readonly parameters?: readonly { readonly in: string; readonly name: string }[]
  readonly responses: Readonly<Record<string, Answer>>
}

type Document = {
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>
}

/** Headers that say something of every answer, or of the connection. */
const COMMON_HEADERS =
  /^(connection|content-.*|cache-control|cross-origin-.*|date|keep-alive|origin-agent-cluster|referrer-policy|transfer-encoding|x-.*)$/

/** What the document says, and the answers that were compared with it. */
export class Described {
  readonly document: Document
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false })
  /** By operation. */
  readonly answered = new Map<string, Set<string>>()

  constructor(document: unknown) {
    this.document = document as Document
    this.#ajv.addSchema(this.document, 'document')
  }

  get operations(): [name: string, DescribedOperation][] {
    return Object.entries(this.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, DescribedOperation] => [
        `${method.toUpperCase()} ${path}`,
        operation,
      ]),
    )
  }

  async expectOpenApi31(): Promise<void> {
    const validator = new Validator()
    // It resolves references within what it is given.
    expect(await validator.validate(structuredClone(this.document))).toMatchObject({ valid: true })
    expect(validator.version).toBe('3.1')
  }

  /** Whether a value is what a place of the document says, by the errors that are found. */
  errorsOf(place: readonly string[], value: unknown): unknown {
    const pointer = place.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).map(encodeURIComponent)
    const validate = this.#ajv.compile({ $ref: `document#/${pointer.join('/')}` })
    return validate(value) ? [] : validate.errors
  }

  /** Asks, and compares the answer with what the document says of its status, headers, type and body. */
  async ask(url: string, name: string, path: string, options: Partial<Dispatcher.RequestOptions> = {}): Promise<void> {
    const [method = '', template = ''] = name.split(' ')
    const { statusCode, headers, body } = await request(`${url}${path}`, {
      ...options,
      method: method as Dispatcher.HttpMethod,
    })
    this.compare([method, template], String(statusCode), headers, await body.text())
  }

  compare(
    [method, template]: readonly [string, string],
    status: string,
    headers: Readonly<Record<string, unknown>>,
    text: string,
  ): void {
    const name = `${method} ${template}`
    this.answered.set(name, (this.answered.get(name) ?? new Set()).add(status))
    const described = this.document.paths[template]?.[method.toLowerCase()]?.responses[status]
    expect(described, `${name} answers ${status}: ${text}`).toBeDefined()
    const [type = ''] = String(headers['content-type']).split(';')
    expect(Object.keys(described?.content ?? {}), `${name} answers ${status}`).toContain(type)
    const undescribed = Object.keys(headers).filter(
      (header) => !COMMON_HEADERS.test(header) && described?.headers?.[header] === undefined,
    )
    expect(undescribed, `headers of ${name}, ${status}`).toEqual([])
    const place = ['paths', template, method.toLowerCase(), 'responses', status, 'content', type, 'schema']
    for (const value of valuesOf(type, text)) {
      expect(this.errorsOf(place, value), `${name} answers ${status}: ${JSON.stringify(value)}`).toEqual([])
    }
  }
}

function valuesOf(type: string, text: string): unknown[] {
  switch (type) {
    case 'application/json':
      return [JSON.parse(text)]
    case 'application/x-ndjson':
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    default:
      return [text]
  }
}
