import { Script } from '../redis/script.js'

const file = (name: string): URL => new URL(`./${name}.lua`, import.meta.url)

/** The transitions of a pending update: one Lua file each, and nothing else writes its keys. */
export const SCRIPTS = {
  mergeUpdates: new Script(
    file('mergeUpdates'),
    ['index', 'sequence', 'clock', 'pendingPrefix', 'sentPrefix'],
    ['nowUs', 'notAfterUs', 'futureLimitUs', 'maxPendingRuns', 'memoryIsShort', 'firstPaths', 'updates'],
  ),
  redriveWrites: new Script(file('redriveWrites'), ['index', 'sequence', 'pending', 'sent'], ['nowUs', 'runId']),
  takeTurn: new Script(
    file('takeTurn'),
    ['pending', 'throttle'],
    ['nowUs', 'runId', 'generation', 'owner', 'leaseUs', 'longestHoldUs', 'probeTtlUs', 'otherRunPauseUs'],
  ),
  claimRun: new Script(
    file('claimRun'),
    ['pending', 'throttle'],
    ['nowUs', 'generation', 'owner', 'leaseUs', 'epoch', 'probe'],
  ),
  settleWrites: new Script(
    file('settleWrites'),
    ['pending', 'sent', 'lettered', 'throttle'],
    ['nowUs', 'channel', 'runId', 'outcome', 'sentTtlMs', 'probe', 'outcomesChannel', 'announcement'],
  ),
  setAsideWrites: new Script(
    file('setAsideWrites'),
    ['pending', 'sent'],
    ['outcome', 'outcomesChannel', 'announcement'],
  ),
  settleAndRelease: new Script(
    file('settleAndRelease'),
    ['pending', 'sent', 'lettered', 'throttle', 'index', 'sequence'],
    [
      'nowUs',
      'channel',
      'runId',
      'outcome',
      'sentTtlMs',
      'probe',
      'outcomesChannel',
      'announcement',
      'generation',
      'owner',
      'windowUs',
      'longestLeaseUs',
      'updates',
      'origins',
    ],
  ),
  keepSent: new Script(file('keepSent'), ['sent', 'lettered'], ['nowUs', 'runId']),
  forgetSent: new Script(file('forgetSent'), ['sent', 'lettered'], ['runId', 'letteredAtMs', 'sentTtlMs']),
  deferRun: new Script(
    file('deferRun'),
    ['pending', 'throttle'],
    ['nowUs', 'generation', 'owner', 'failure', 'graceUs', 'trouble', 'triedUs'],
  ),
  releaseRun: new Script(
    file('releaseRun'),
    ['pending', 'index', 'sequence'],
    ['nowUs', 'runId', 'generation', 'owner', 'windowUs', 'longestLeaseUs', 'updates', 'origins'],
  ),
  reopenRun: new Script(file('reopenRun'), ['pending', 'index', 'sequence'], ['nowUs', 'runId', 'generation']),
} as const
