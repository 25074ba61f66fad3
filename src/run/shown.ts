const LONGEST = 60

/** A value as an error message shows it: on one line, short whatever it is, and never read in depth. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(shorten(value))
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'a list' : 'an object'
    default:
      return `a ${typeof value}`
  }
}

/** Cuts what a user gave to a length that a line of a log bears. */
export function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
