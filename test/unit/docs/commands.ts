import { readFileSync } from 'node:fs'
import type { Command, Option } from 'commander'

const CLI = new URL('../../../src/cli/', import.meta.url)

/** A command that does something; `dead-letters`, say, only groups some that do. */
export interface Leaf {
  /** As in `dead-letters show`. */
  readonly name: string
  /** With its arguments, as in `dead-letters show <id>`. */
  readonly usage: string
  readonly description: string
  readonly options: readonly Option[]
  /** Those that stand for a variable of the environment, as `--redis-url`. */
  readonly settings: readonly string[]
}

/** Every command that main.ts puts together. It is read, not imported: importing it would run it. */
export async function readLeaves(): Promise<Leaf[]> {
  const main = readFileSync(new URL('main.ts', CLI), 'utf8')
  const commands: Command[] = []
  for (const [, maker = '', file = ''] of main.matchAll(/^import \{ (create\w+Command) \} from '\.\/(.+)\.js'/gm)) {
    const exported = (await import(new URL(`${file}.ts`, CLI).href)) as Record<string, () => Command>
    commands.push(exported[maker]?.() as Command)
  }
  return commands.flatMap((command) => leavesOf(command, command.name()))
}

function leavesOf(command: Command, name: string): Leaf[] {
  if (command.commands.length > 0) {
    return command.commands.flatMap((child) => leavesOf(child, `${name} ${child.name()}`))
  }
  const args = command.registeredArguments.map((argument) => {
    const text = `${argument.name()}${argument.variadic ? '...' : ''}`
    return argument.required ? `<${text}>` : `[${text}]`
  })
  const isSetting = ({ helpGroupHeading }: Option): boolean => helpGroupHeading === 'Settings:'
  return [
    {
      name,
      usage: [name, ...args].join(' '),
      description: command.description(),
      options: command.options.filter((option) => !isSetting(option)),
      settings: command.options.filter(isSetting).map(({ long }) => long ?? ''),
    },
  ]
}
