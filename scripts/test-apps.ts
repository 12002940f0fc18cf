/**
 * `npm run test:apps`: real applications behind the server, as people run them. Needs what a Debian machine gets by
 *
 *     apt-get install --no-install-recommends python3-fastapi uvicorn gunicorn python3-websockets golang-go chromium memcached
 *
 *     npm run test:apps                 all of them
 *     npm run test:apps -- vite         only files whose name contains one of the words
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TEST_TIMEOUT_MS = 120_000
const NEEDED = [
  '/usr/bin/chromium',
  '/usr/bin/go',
  '/usr/bin/memcached',
  '/usr/lib/python3/dist-packages/fastapi',
  '/usr/lib/python3/dist-packages/gunicorn',
  '/usr/lib/python3/dist-packages/uvicorn',
]

process.exitCode = main(process.argv.slice(2))

function main(words: readonly string[]): number {
  const missing = NEEDED.filter((file) => !fs.existsSync(file))
  const own = process.env['CHROMIUM'] !== undefined && process.env['PYTHON'] !== undefined
  if (missing.length > 0 && !own) {
    console.error(`not here: ${missing.join(', ')}`)
    console.error(
      'apt-get install --no-install-recommends python3-fastapi uvicorn gunicorn python3-websockets golang-go chromium memcached',
    )
    return 1
  }
  const types = run(`${ROOT}node_modules/.bin/tsc`, ['--noEmit', '-p', 'examples/fastapi-vite/frontend'])
  const files = fs
    .globSync('test/apps/*.app.ts', { cwd: ROOT })
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  // One after the other: a browser and a dev server fill a small machine.
  const options = [`--test-timeout=${TEST_TIMEOUT_MS}`, '--test-concurrency=1']
  const tests = run(process.execPath, ['--disable-warning=ExperimentalWarning', '--test', ...options, ...files.sort()])
  return types && tests ? 0 : 1
}

function run(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' }).status === 0
}
