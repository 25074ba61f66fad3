/**
 * Finds a Redis server to start: on the PATH; else one that was fetched earlier; else, on Debian and Ubuntu, one
 * fetched now from the distribution's own packages, without root, into the user's cache folder. Nothing is installed.
 */
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { arch, homedir } from 'node:os'
import { delimiter, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { SiftRunUpdaterError } from '../../errors.js'

const run = promisify(execFile)

/** No Redis server here, and none could be fetched; the message tells the one line that installs one. */
export class RedisServerNotFoundError extends SiftRunUpdaterError {
  readonly code = 'redis_server_not_found'
}

/**
 * The path of a redis-server or valkey-server that starts.
 * @param onProgress told what a fetch, which may take half a minute, is doing
 * @throws {RedisServerNotFoundError}
 */
export async function findRedisServer(onProgress: (message: string) => void = () => {}): Promise<string> {
  const installed = await findOnPath(['redis-server', 'valkey-server'])
  if (installed !== undefined) return installed

  const cached = join(await cacheFolder(), 'redis-server')
  if (await starts(cached)) return cached

  if ((await findOnPath(['apt-get'])) === undefined) throw await notFound()
  try {
    return await fetchWithApt(dirname(cached), onProgress)
  } catch (cause) {
    throw await notFound(cause)
  }
}

async function findOnPath(names: readonly string[]): Promise<string | undefined> {
  // An empty entry of PATH means the current folder: not a place to start a server from.
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name)
      if (await isExecutable(path)) return path
    }
  }
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** A home folder may be shared by machines of several systems, where each needs a server of its own. */
async function cacheFolder(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const value = (key: string) => new RegExp(`^${key}="?([A-Za-z0-9._-]+)`, 'm').exec(release)?.[1] ?? 'unknown'
  const home = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(home, 'sift-run-updater', `redis-${value('ID')}-${value('VERSION_ID')}-${arch()}`)
}

async function starts(binary: string): Promise<boolean> {
  return run(binary, ['--version']).then(
    () => true,
    () => false,
  )
}

/** Unpacks aside and renames, so that a folder is whole or absent, and two processes that fetch at once don't clash. */
async function fetchWithApt(target: string, onProgress: (message: string) => void): Promise<string> {
  await mkdir(dirname(target), { recursive: true })
  const aside = await mkdtemp(`${target}.`)
  try {
    const packages = await downloadPackages(join(aside, 'apt'), onProgress)
    onProgress(`Unpacking ${packages.length} packages`)
    const root = join(aside, 'root')
    for (const file of packages) await run('dpkg-deb', ['-x', file, root])
    await writeStarter(aside, root)
    await run(join(aside, 'redis-server'), ['--version'])
    await rm(join(aside, 'apt'), { recursive: true })
    await replaceFolder(aside, target)
    return join(target, 'redis-server')
  } finally {
    await rm(aside, { recursive: true, force: true })
  }
}

/** Lets apt find out which packages this system lacks, with lists and an archive of our own: its own belong to root. */
async function downloadPackages(folder: string, onProgress: (message: string) => void): Promise<string[]> {
  const archives = join(folder, 'cache', 'archives')
  await mkdir(join(archives, 'partial'), { recursive: true })
  await mkdir(join(folder, 'state', 'lists', 'partial'), { recursive: true })
  const config = join(folder, 'apt.conf')
  await writeFile(config, aptConfiguration(folder))

  onProgress('Fetching the package lists of this system')
  // One unreachable list of many is no reason to stop: the download below fails if it needed that one.
  const listsError = await run('apt-get', ['-c', config, '-q', 'update']).then(
    () => undefined,
    (error: unknown) => error,
  )
  onProgress('Downloading redis-server')
  // redis-server is a link into redis-tools. Named, and as a reinstallation, both are fetched even where they are installed.
  const install = ['install', '--reinstall', '--download-only', '--no-install-recommends', '--yes']
  await run('apt-get', ['-c', config, '-q', ...install, 'redis-server', 'redis-tools']).catch((error: unknown) => {
    throw listsError ?? error
  })
  const files = await readdir(archives)
  return files.filter((file) => file.endsWith('.deb')).map((file) => join(archives, file))
}

/** Read after the system's own configuration (its proxies hold), whose hooks are for root's folders and not for ours. */
function aptConfiguration(folder: string): string {
  return [
    `Dir::State "${folder}/state";`,
    `Dir::State::lists "${folder}/state/lists";`,
    'Dir::State::status "/var/lib/dpkg/status";',
    `Dir::Cache "${folder}/cache";`,
    `Dir::Cache::archives "${folder}/cache/archives";`,
    'Debug::NoLocking "1";',
    // As root apt would download as user _apt, who can't enter root's home.
    'APT::Sandbox::User "root";',
    'Acquire::Retries "1";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    '',
  ].join('\n')
}

/** One path that starts the server with the libraries that were fetched with it, wherever the folder is moved. */
async function writeStarter(folder: string, root: string): Promise<void> {
  const files = await readdir(root, { recursive: true, withFileTypes: true })
  const libraries = files.filter((file) => /\.so(\.|$)/.test(file.name)).map((file) => file.parentPath)
  const libraryPath = [...new Set(libraries)].map((path) => `$here/${relative(folder, path)}`).join(':')
  const starter = join(folder, 'redis-server')
  const lines = [
    '#!/bin/sh',
    `here=\${0%/*}`,
    `export LD_LIBRARY_PATH="${libraryPath}"`,
    'exec "$here/root/usr/bin/redis-server" "$@"',
    '',
  ]
  await writeFile(starter, lines.join('\n'))
  await chmod(starter, 0o755)
}

async function replaceFolder(source: string, target: string): Promise<void> {
  try {
    await rename(source, target)
  } catch {
    // Another process was faster, or an older fetch no longer starts, as after an upgrade of the system.
    if (await starts(join(target, 'redis-server'))) return
    await rm(target, { recursive: true, force: true })
    await rename(source, target)
  }
}

async function notFound(cause?: unknown): Promise<RedisServerNotFoundError> {
  let install = 'docker compose up -d redis'
  if (process.platform === 'darwin') install = 'brew install redis'
  else if ((await findOnPath(['apt-get'])) !== undefined) install = 'sudo apt-get install redis-server'
  return new RedisServerNotFoundError(`There is no Redis server on this machine. Get one by: ${install}`, { cause })
}
