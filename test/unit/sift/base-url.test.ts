import { expect, it } from 'vitest'
import { ConfigurationError } from '../../../src/errors.js'
import { parseBaseUrl } from '../../../src/sift/base-url.js'

it.each([
  ['https://api.siftstack.com', 'https://api.siftstack.com', ''],
  ['https://api.siftstack.com/', 'https://api.siftstack.com', ''],
  ['http://127.0.0.1:8080/sift/v1/', 'http://127.0.0.1:8080', '/sift/v1'],
  ['http://[::1]:80/sift', 'http://[::1]', '/sift'],
])('%s is the API at %s under the path %j', (text, origin, pathPrefix) => {
  expect(parseBaseUrl(text)).toEqual({ origin, pathPrefix })
})

it.each(['', 'api.siftstack.com', 'ftp://host', 'https://user:secret@host', 'https://host/?a=1', 'https://host/#a'])(
  '%j is refused, in words that do not repeat it',
  (text) => {
    expect(() => parseBaseUrl(text)).toThrow(ConfigurationError)
    expect(() => parseBaseUrl(text)).toThrow(expect.not.stringContaining('secret'))
  },
)
