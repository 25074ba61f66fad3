const PARTS = [
  [86_400, 'd', 3_600, 'h'],
  [3_600, 'h', 60, 'min'],
  [60, 'min', 1, 's'],
]

/** 1 h 20 min, 45 s, 0.3 s. */
export function span(ms) {
  const seconds = Math.max(0, ms) / 1_000
  for (const [size, unit, small, smallUnit] of PARTS) {
    if (seconds < size) continue
    const rest = Math.floor((seconds % size) / small)
    return `${Math.floor(seconds / size)} ${unit}${rest > 0 ? ` ${rest} ${smallUnit}` : ''}`
  }
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds)} s`
}

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const FINE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })

export const count = (number) => WHOLE.format(number)

/** A rate or a ratio: a figure behind the point only where it says something. */
export const rate = (number) => (number < 100 ? FINE : WHOLE).format(number)

export const clock = (ms) => new Date(ms).toLocaleTimeString('en-GB')

export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? '' : 's'}`

/** A rate as the lane keeps it, '50 in 1000 ms', as people say it. */
export function limitText(text) {
  const [, max, ms] = /^(\d+) in (\d+) ms$/.exec(text) ?? []
  if (max === undefined) return text
  return Number(ms) === 1_000 ? `${max} requests a second` : `${max} requests in ${span(Number(ms))}`
}

/** A reason of the lane or of a letter, as people say it. */
export function reasonText(reason) {
  const [kind, of] = reason.split(':')
  if (kind === 'storm' && of) return `storm of dead letters, ${of.replaceAll('_', ' ')}`
  return reason.replaceAll('_', ' ')
}

/** The age of an RFC 3339 time; the time itself stands in the title. */
export function ageOf(time) {
  const ms = Date.now() - Date.parse(time)
  if (Number.isNaN(ms)) return time
  return ms < 0 ? `in ${span(-ms)}` : `${span(ms)} ago`
}
