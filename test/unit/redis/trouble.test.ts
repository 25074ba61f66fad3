import { expect, test } from 'vitest'
import { isReadOnly } from '../../../src/redis/trouble.js'

test.each([
  "READONLY You can't write against a read only replica.",
  "READONLY You can't write against a read only replica. script: 2ec29d1c, on @user_script:262.",
  // Before Redis 7.
  "ERR Error running script (call to f_2ec29d1c): @user_script:9: @user_script: 9: -READONLY You can't write against a read only replica.",
])('a replica is known by what it says: %s', (message) => {
  expect(isReadOnly(new Error(message))).toBe(true)
})
