import { type Config, describeSetting } from '../../config.js'
import type { DeadLetter } from '../../dead-letters/dead-letter.js'

const LANE = [
  { variable: 'REDIS_URL', option: '--redis-url' },
  { variable: 'QUEUE_NAME', option: '--queue-name' },
  { variable: 'QUEUE_PREFIX', option: '--queue-prefix' },
] as const

/** The command that redrives a letter, as a shell takes it; null where it can't be. Never holds Redis's password. */
export function replayCommand({ id, reason }: Pick<DeadLetter, 'id' | 'reason'>, config: Config): string | null {
  if (reason === 'corrupt_entry') return null
  const options = LANE.filter(
    ({ variable }) => config[variable] !== describeSetting(variable).default && !holdsSecret(config[variable]),
  )
  const lane = options.map(({ variable, option }) => ` ${option} ${quote(config[variable])}`)
  // A run id may begin with a dash, and would be taken for an option.
  const end = id.startsWith('-') ? ' --' : ''
  return `sift-run-updater dead-letters retry${lane.join('')}${end} ${id}`
}

function holdsSecret(value: string): boolean {
  return URL.canParse(value) && (new URL(value).password !== '' || new URL(value).search !== '')
}

function quote(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
