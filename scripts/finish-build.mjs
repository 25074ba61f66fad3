/** What tsc leaves to do: puts the Lua scripts beside the modules that read them, and makes the command executable. */
import { statSync } from 'node:fs'
import { chmod, cp, readFile } from 'node:fs/promises'

await cp('src', 'dist', { recursive: true, filter: (path) => statSync(path).isDirectory() || path.endsWith('.lua') })

const { bin } = JSON.parse(await readFile('package.json', 'utf8'))
for (const command of Object.values(bin)) await chmod(command, 0o755)
