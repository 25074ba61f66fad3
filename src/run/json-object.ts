/** What JSON calls an object. Its keys are untrusted: read own ones only, since `__proto__` may be among them. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The keys and values that the object has once it is JSON, which leaves undefined out. An own `__proto__` is one of them. */
export function givenEntries(object: JsonObject): [string, unknown][] {
  return Object.entries(object).filter(([, value]) => value !== undefined)
}
