/** What tsc leaves to do: puts scripts and pages beside the modules that read them, and makes the command executable. */
import { statSync } from 'node:fs'
import { chmod, cp, readFile } from 'node:fs/promises'

const READ_AT_RUN_TIME = /\.(lua|html|css|js|svg)$/
await cp('src', 'dist', {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || READ_AT_RUN_TIME.test(path),
})

const { bin } = JSON.parse(await readFile('package.json', 'utf8'))
for (const command of Object.values(bin)) await chmod(command, 0o755)
