import { ConfigurationError } from '../errors.js'

export interface BaseUrl {
  /** Scheme, host and port. */
  readonly origin: string
  /** What every path begins with: empty, or with a slash in front and none at its end. */
  readonly pathPrefix: string
}

/**
 * Reads the URL that the API is found under. It may have a path of its own, with or without a slash at its end.
 * @throws ConfigurationError for what is no such URL.
 */
export function parseBaseUrl(text: string): BaseUrl {
  // The value is left out of the messages: it may hold a password.
  if (!URL.canParse(text)) throw new ConfigurationError(['the base URL of Sift is not a URL'])
  const url = new URL(text)
  const problems: string[] = []
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    problems.push('the base URL of Sift must begin with https:// or http://')
  }
  if (url.username !== '' || url.password !== '') {
    problems.push('the base URL of Sift must not hold a user or password: the API key is given apart')
  }
  if (url.search !== '' || url.hash !== '') problems.push('the base URL of Sift must end with its path: no ? and no #')
  if (problems.length > 0) throw new ConfigurationError(problems)
  return { origin: url.origin, pathPrefix: url.pathname.replace(/\/$/, '') }
}
