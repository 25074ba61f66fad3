import { Agent, request } from 'undici'
import { onTestFinished } from 'vitest'
import { type Simulator, type SimulatorOptions, startSimulator } from '../../../src/simulator/simulator.js'

export interface Answered {
  readonly status: number
  readonly contentType: string
  readonly text: string
  /** The JSON of the body; undefined where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: assertions look into whatever has come
  readonly json: any
}

export interface SendOptions {
  readonly body?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A simulator of the test's own, and a client for it; both are gone when the test is over. */
export interface Api {
  readonly simulator: Simulator
  send(method: 'GET' | 'PATCH' | 'POST' | 'DELETE', path: string, options?: SendOptions): Promise<Answered>
  get(path: string): Promise<Answered>
  /** A PATCH of the body as it is. */
  patchBody(body: unknown): Promise<Answered>
  /** A PATCH of `run-1`. */
  patch(fields: object, updateMask: string): Promise<Answered>
}

export async function startApi(options?: SimulatorOptions): Promise<Api> {
  const simulator = await startSimulator(options)
  const dispatcher = new Agent({ connections: 200 })
  onTestFinished(async () => {
    await dispatcher.destroy()
    await simulator.close()
  })
  const send: Api['send'] = async (method, path, { body, headers, signal } = {}) => {
    const response = await request(simulator.url + path, {
      method,
      dispatcher,
      headers: { authorization: 'Bearer key', ...headers },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    })
    const text = await response.body.text()
    const contentType = String(response.headers['content-type'])
    return { status: response.statusCode, contentType, text, json: parsed(text) }
  }
  const patchBody: Api['patchBody'] = (body) => send('PATCH', '/api/v2/runs', { body: JSON.stringify(body) })
  return {
    simulator,
    send,
    get: (path) => send('GET', path),
    patchBody,
    patch: (fields, updateMask) => patchBody({ run: { runId: 'run-1', ...fields }, updateMask }),
  }
}

/** `startApi`, with a run `run-1`. */
export async function startApiWithRun(options?: SimulatorOptions): Promise<Api> {
  const api = await startApi(options)
  api.simulator.createRun('run-1')
  return api
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
