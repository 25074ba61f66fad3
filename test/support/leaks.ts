import { afterAll, beforeAll } from 'vitest'
import { waitFor } from './wait-for.js'

/** What a component holds while it runs, and must let go of by its `close`: sockets, servers, child processes. */
const HELD = new Set(['TCPSocketWrap', 'TCPServerWrap', 'ProcessWrap'])

/** To be called at the top of a test file, before its own hooks: fails the file if it ends with more than it began with. */
export function expectNoLeaks(): void {
  let before: readonly string[] = []
  beforeAll(() => {
    before = held()
  })
  // Hooks after all tests run in reverse order, so this one sees what the file's own hooks have closed.
  afterAll(async () => {
    await waitFor(`sockets, servers and child processes to be closed: ${held()}`, () => held().length <= before.length)
  })
}

function held(): readonly string[] {
  return process.getActiveResourcesInfo().filter((resource) => HELD.has(resource))
}
