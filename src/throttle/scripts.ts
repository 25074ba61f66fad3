import { Script } from '../redis/script.js'

const file = (name: string): URL => new URL(`./${name}.lua`, import.meta.url)

/** The transitions of a lane's throttle: one Lua file each. Those of ../pending take permits, look at it and tell it, too. */
export const SCRIPTS = {
  reportAnswer: new Script(
    file('reportAnswer'),
    ['throttle'],
    [
      'nowUs',
      'channel',
      'runId',
      'kind',
      'reason',
      'detail',
      'waitUs',
      'longestHoldUs',
      'epoch',
      'probe',
      'outageRow',
      'outageRuns',
    ],
  ),
  countDeadLetter: new Script(
    file('countDeadLetter'),
    ['throttle'],
    ['nowUs', 'channel', 'runId', 'reason', 'detail', 'stormRow'],
  ),
  lookAtLane: new Script(file('lookAtLane'), ['throttle'], ['nowUs', 'longestHoldUs']),
  holdLane: new Script(file('holdLane'), ['throttle'], ['nowUs', 'channel', 'detail']),
  openLane: new Script(file('openLane'), ['throttle'], ['nowUs', 'channel', 'accepted', 'acceptedUs']),
  setRate: new Script(file('setRate'), ['throttle'], ['spacingUs', 'rate', 'firstHoldUs', 'longestProbePauseUs']),
} as const
