/**
 * `npm run build`: compiles `src/` to `dist/`, file by file, for the published package. The folders keep their places, so
 * what the program finds relative to its own files (`conf/`, `package.json`) is found from either.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

process.exitCode = build()

function build(): number {
  fs.rmSync(`${ROOT}dist`, { recursive: true, force: true })
  const compiler = spawnSync(`${ROOT}node_modules/.bin/tsc`, ['-p', 'tsconfig.build.json'], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (compiler.status !== 0) {
    console.error('build: the sources do not compile')
    return 1
  }
  fs.mkdirSync(`${ROOT}dist/bin`)
  fs.copyFileSync(`${ROOT}bin/published.js`, `${ROOT}dist/bin/viaduct.js`)
  fs.chmodSync(`${ROOT}dist/bin/viaduct.js`, 0o755)
  return 0
}
