/** `npm run test:apps`: real applications behind the server, as people run them. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { command } from './command.ts'
import { testArguments, testFiles } from './test-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TEST_TIMEOUT_MS = 120_000
/** These take long by doing little: they run beside the others. */
const PATIENT = ['test/apps/sse.app.ts']
const NEEDED = [
  '/usr/bin/chromium',
  '/usr/bin/curl',
  '/usr/bin/go',
  '/usr/bin/memcached',
  '/usr/bin/nghttp',
  '/usr/bin/openssl',
  '/usr/bin/php',
  '/usr/bin/uwsgi',
  '/usr/lib/git-core/git-http-backend',
  '/usr/lib/python3/dist-packages/django',
  '/usr/lib/python3/dist-packages/fastapi',
  '/usr/lib/python3/dist-packages/grpc',
  '/usr/lib/python3/dist-packages/gunicorn',
  '/usr/lib/python3/dist-packages/uvicorn',
  '/usr/sbin/fcgiwrap',
  '/usr/share/dokuwiki',
  '/usr/share/perl5/SCGI.pm',
]

/** What a Debian machine gets those by. */
const INSTALL = `apt-get install --no-install-recommends python3-fastapi uvicorn gunicorn python3-websockets golang-go chromium \\
  memcached python3-grpcio curl nghttp2-client openssl php-fpm dokuwiki fcgiwrap git uwsgi-plugin-python3 \\
  python3-django libscgi-perl`

await command({
  called: 'npm run test:apps',
  summary: 'real applications behind the server, as people run them',
  usage: ['[WORD ...]'],
  about: `All of them, or files whose path contains one of the words. Needs what a Debian machine gets by

${INSTALL}

unless CHROMIUM and PYTHON name others.`,
  options: {},
  examples: [['vite', 'only files that have "vite" in their path']],
  run: async (_, words) => {
    const missing = NEEDED.filter((file) => !fs.existsSync(file))
    const own = process.env['CHROMIUM'] !== undefined && process.env['PYTHON'] !== undefined
    if (missing.length > 0 && !own)
      throw new ToolFailure(`not here: ${missing.join(', ')}`, INSTALL.replaceAll('\\\n ', ''))
    const files = testFiles('test/apps/*.app.ts', words)
    const types = run(`${ROOT}node_modules/.bin/tsc`, ['--noEmit', '-p', 'examples/fastapi-vite/frontend'])
    const patient = files.filter((file) => PATIENT.includes(file))
    const others = files.filter((file) => !PATIENT.includes(file))
    const tests = await Promise.all([patient, others].map(runTests))
    return types && tests.every((passed) => passed) ? 0 : 1
  },
})

/** Runs files one after the other: a browser and a dev server fill a small machine. */
async function runTests(files: readonly string[]): Promise<boolean> {
  if (files.length === 0) return true
  const args = testArguments({ files, timeoutMs: TEST_TIMEOUT_MS, concurrency: 1 })
  const [code] = await once(spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }), 'exit')
  return code === 0
}

function run(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' }).status === 0
}
