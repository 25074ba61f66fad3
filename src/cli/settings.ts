/** The settings of the environment as options of a command: of the same name, and winning over them. */
import { type Command, Option } from 'commander'
import {
  type Config,
  describeSetting,
  optionName,
  readConfig,
  readEnvironment,
  VARIABLES,
  type Variable,
} from '../config.js'

/** What every command needs that talks to Redis. */
export const LANE_SETTINGS = ['REDIS_URL', 'QUEUE_NAME', 'QUEUE_PREFIX'] as const satisfies readonly Variable[]

/** A secret in an argument would be seen by every user of the machine, so it has no option. */
type OptionVariable = Exclude<Variable, 'SIFT_API_KEY' | 'AUTH_TOKEN'>

/** All of a worker's. */
export const WORKER_SETTINGS = VARIABLES.filter(
  (variable): variable is OptionVariable =>
    !['SIFT_API_KEY', 'AUTH_TOKEN', 'PORT', 'MAX_PENDING_RUNS', 'MAX_REDIS_MEMORY_PERCENT'].includes(variable),
)

/** Gives a command these settings as options; each is described as in the environment. */
export function addSettings(command: Command, variables: readonly OptionVariable[]): Command {
  for (const variable of variables) {
    const { meaning, default: preset } = describeSetting(variable)
    const text = preset === undefined ? meaning : `${meaning} (default: ${preset})`
    command.addOption(new Option(`${optionName(variable)} <value>`, text).helpGroup('Settings:'))
  }
  return command
}

/**
 * The configuration that a command was called with.
 * @throws ConfigurationError with every problem.
 */
export function readSettings(command: Command, { needsApiKey = false }: { needsApiKey?: boolean } = {}): Config {
  const options: Readonly<Record<string, unknown>> = command.optsWithGlobals()
  const given: Partial<Record<Variable, string>> = {}
  for (const variable of VARIABLES) {
    const value = options[attributeName(variable)]
    if (typeof value === 'string') given[variable] = value
  }
  return readConfig(readEnvironment(), { given, needsApiKey })
}

/** The name under which commander keeps an option. */
function attributeName(variable: Variable): string {
  return new Option(optionName(variable)).attributeName()
}
