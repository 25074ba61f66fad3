/** Compiles the benchmark: what it measures is what tsc makes of the source, as in the package. */
import { execFileSync } from 'node:child_process'
import { cpSync, statSync } from 'node:fs'

execFileSync('npx', ['tsc', '-p', 'test/bench/tsconfig.json'], { stdio: 'inherit' })
cpSync('src', 'dist/bench/src', {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || /\.(lua|html|css|js|svg)$/.test(path),
})
