import { escapeHtml, page } from './page.js'

/** As much of an OpenAPI document as the page shows. */
export interface OpenApiDocument {
  readonly info: { readonly title: string; readonly description?: string }
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> }
  readonly tags?: readonly { readonly name: string; readonly description?: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

interface Schema {
  readonly description?: string
}

type Content = Readonly<Record<string, { readonly schema?: unknown }>>

interface Answer {
  readonly description: string
  readonly headers?: Readonly<Record<string, { readonly description?: string }>>
  readonly content?: Content
}

interface Operation {
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly description?: string
    readonly schema?: unknown
  }[]
  readonly requestBody?: { readonly content?: Content }
  readonly responses?: Readonly<Record<string, Answer>>
}

/** The document as a page for people. */
export function renderDocs({ info, components: { schemas = {} } = {}, tags = [], paths }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const sections = tags.map(({ name, description = name }) => {
    const own = operations.filter(({ operation }) => operation.tags?.includes(name))
    return `<section><h2>${escapeHtml(description)}</h2>${own.map(renderOperation).join('')}</section>`
  })
  return page(
    'Interface',
    `<main><h1>${escapeHtml(info.title)}</h1><p>${escapeHtml(info.description ?? '')}</p>
<p class="quiet">The same for programs: <a href="/openapi.json">/openapi.json</a></p>${sections.join('')}
<section><h2>Shapes</h2>${Object.entries(schemas).map(renderShape).join('')}</section></main>`,
  )
}

function renderOperation({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const { summary = '', description = '', parameters = [], requestBody, responses = {} } = operation
  const bodies = Object.entries(requestBody?.content ?? {})
  return `<article><h3><code>${method.toUpperCase()} ${escapeHtml(path)}</code></h3>
<p>${escapeHtml(summary)}.</p>${description === '' ? '' : `<p>${renderText(description)}</p>`}${renderParameters(parameters)}${bodies.map(([type, { schema }]) => `<details><summary>Body, ${escapeHtml(type)}</summary>${renderSchema(schema)}</details>`).join('')}${renderAnswers(responses)}</article>`
}

function renderParameters(parameters: NonNullable<Operation['parameters']>): string {
  if (parameters.length === 0) return ''
  const rows = parameters.map(
    ({ name, in: place, required, description = '' }) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(place)}${required ? ', required' : ''}</td><td>${renderText(description)}</td></tr>`,
  )
  return `<table><thead><tr><th>parameter</th><th>in</th><th>meaning</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

function renderAnswers(responses: Readonly<Record<string, Answer>>): string {
  const statuses = Object.keys(responses)
  if (statuses.length === 0) return ''
  const rows = Object.entries(responses).map(
    ([status, { description, headers = {}, content = {} }]) =>
      `<tr><td><code>${escapeHtml(status)}</code></td><td>${renderText(description)}${Object.entries(headers).map(renderHeader).join('')}<div>${Object.entries(content).map(renderContent).join('')}</div></td></tr>`,
  )
  return `<details><summary>Answers: ${escapeHtml(statuses.join(', '))}</summary><table class="answers"><thead><tr><th>status</th><th>meaning, headers, body</th></tr></thead><tbody>${rows.join('')}</tbody></table></details>`
}

function renderHeader([name, { description = '' }]: [string, { readonly description?: string }]): string {
  return `<br><span class="quiet"><code>${escapeHtml(name)}</code>: ${renderText(description)}</span>`
}

/** Most are errors, whose one shape stands at the end of the page. */
function renderContent([type, { schema }]: [string, { readonly schema?: unknown }]): string {
  const [, name] = /^\{"\$ref":"#\/components\/schemas\/(\w+)"\}$/.exec(JSON.stringify(schema) ?? '') ?? []
  if (name !== undefined) return `<a href="#shape-${name}">${name}</a>`
  return `<details><summary>${escapeHtml(type)}</summary>${renderSchema(schema)}</details>`
}

function renderShape([name, schema]: [string, Schema]): string {
  // A link to what is inside opens it.
  return `<details><summary>${escapeHtml(name)}</summary><div id="shape-${escapeHtml(name)}">${renderSchema(schema)}</div></details>`
}

function renderSchema(schema: unknown): string {
  const text = escapeHtml(JSON.stringify(schema, null, 2) ?? '')
  const linked = text.replace(/#\/components\/schemas\/(\w+)/g, '<a href="#shape-$1">$1</a>')
  return `<pre>${linked}</pre>`
}

/** Descriptions mark code with backticks, and nothing else. */
function renderText(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>')
}
