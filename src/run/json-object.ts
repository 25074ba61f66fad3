/** What JSON calls an object. Its keys are untrusted: read own ones only, since `__proto__` may be among them. */
export type JsonObject = Readonly<Record<string, unknown>>

/** False for a Map, a Date or an instance of a class: JSON would make something else of it, or nothing. */
export function isJsonObject(value: unknown): value is JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Not compared with Object.prototype, of which each realm (a vm context, a test runner) has its own.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** The keys and values that the object has once it is JSON, which leaves undefined out. An own `__proto__` is one of them. */
export function givenEntries(object: JsonObject): [string, unknown][] {
  return Object.entries(object).filter(([, value]) => value !== undefined)
}
