/** What JSON calls an object. Its keys are untrusted: read own ones only, since `__proto__` may be among them. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
