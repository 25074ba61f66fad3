import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { waitFor } from '../../support/wait-for.js'

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

export type Env = Readonly<Record<string, string>>

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that is running. */
export interface Running {
  readonly process: ChildProcessWithoutNullStreams
  readonly stdout: string
  readonly stderr: string
  /** Waits for a line on one of its channels. */
  told(channel: 'stdout' | 'stderr', text: string | RegExp): Promise<void>
  readonly ended: Promise<Ended>
}

/** Starts the built command in a folder without a `.env` file, with this environment and no other settings. */
export function startCommand(args: readonly string[], env: Env = {}, cwd: string = tmpdir()): Running {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { PATH: process.env.PATH ?? '', ...env } })
  const output = { stdout: '', stderr: '' }
  for (const channel of ['stdout', 'stderr'] as const) {
    child[channel].setEncoding('utf8').on('data', (text: string) => {
      output[channel] += text
    })
  }
  // A command may end before it has read all of its input.
  child.stdin.on('error', () => {})
  const ended = once(child, 'close').then(([code]: unknown[]) => ({ code: code as number | null, ...output }))
  return {
    process: child,
    get stdout() {
      return output.stdout
    },
    get stderr() {
      return output.stderr
    },
    async told(channel, text) {
      await waitFor(
        `${args.join(' ')} to tell ${text}`,
        () => {
          if (output[channel].match(text)) return true
          if (child.exitCode !== null) throw new Error(`it ended: ${output.stdout}${output.stderr}`)
          return false
        },
        { timeoutMs: 20_000 },
      )
    },
    ended,
  }
}

/** Runs a command to its end. */
export async function runCommand(
  args: readonly string[],
  { env, input = '', cwd }: { env?: Env; input?: string | Buffer; cwd?: string } = {},
): Promise<Ended> {
  const command = startCommand(args, env, cwd)
  command.process.stdin.end(input)
  return await command.ended
}

/** Runs a line of a shell, in which $0 is Node and $1 the built command. */
export async function runInShell(line: string, env: Env = {}): Promise<Ended> {
  const child = spawn('sh', ['-c', line, process.execPath, MAIN], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

/** Whether `onTerminal` can be used: util-linux has the program that makes a terminal. */
export const HAS_TERMINAL = existsSync('/usr/bin/script')

/** Runs a command on a terminal of 80 columns, where somebody presses keys once a text is there; tells all of its screen. */
export async function onTerminal(args: readonly string[], env: Env, press?: { keys: string; at: string }) {
  const line = ['stty cols 80 rows 24;', process.execPath, MAIN, ...args].join(' ')
  const child = spawn('/usr/bin/script', ['-qefc', line, '/dev/null'], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', TERM: 'xterm', SHELL: '/bin/sh', ...env },
  })
  let screen = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (press && !screen.includes(press.at) && (screen + text).includes(press.at)) child.stdin.write(press.keys)
    screen += text
  })
  const [code] = await once(child, 'close')
  return { code: code as number | null, screen }
}

/** One line of NDJSON. */
export function updateLine(runId: string, fields: object): string {
  return `${JSON.stringify({ run: { runId, ...fields } })}\n`
}
