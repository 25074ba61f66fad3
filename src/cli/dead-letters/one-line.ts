/** Text of others on one line of a terminal: what they wrote must not move its cursor or change its colours. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()
}
