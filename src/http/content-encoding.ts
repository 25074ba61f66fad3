import type { IncomingHttpHeaders } from 'node:http'

/** What a body is encoded with, by its one name: RFC 9110 has upper case mean the same, and x-gzip, too. */
export function contentEncodingOf(headers: IncomingHttpHeaders): string {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  return encoding === 'x-gzip' ? 'gzip' : encoding
}
