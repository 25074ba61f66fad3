/** How the demo says numbers. */

const NUMBER = new Intl.NumberFormat('en-US')

/** 24,012 */
export function count(value: number): string {
  return NUMBER.format(Math.round(value))
}

/** 8.4, and 41 from ten up, where a fraction says nothing any more. */
export function ratio(dividend: number, divisor: number): string {
  if (divisor === 0) return '–'
  const quotient = dividend / divisor
  return quotient < 10 ? quotient.toFixed(1) : count(quotient)
}
