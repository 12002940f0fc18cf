/**
 * Runs the public tests for HTTP caches (npm package http-cache-tests, https://cache-tests.fyi) against a server with a
 * cache, and counts what passes as the site does: tests that depend on one that fails do not count.
 *
 * Tests for browsers and for what only content delivery networks have are left out.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { command } from './command.ts'

const ORIGIN_PORT = 18_765
const SERVER_PORT = 18_766
const START_TIMEOUT_MS = 10_000
const LEFT_OUT = /surrogate|cdn/

interface CacheTest {
  readonly id: string
  readonly kind?: 'required' | 'optimal' | 'check'
  readonly browser_only?: boolean
  readonly depends_on?: readonly string[]
}
interface Suite {
  readonly id: string
  readonly tests: readonly CacheTest[]
}
type Results = Readonly<Record<string, true | readonly [string, string]>>

async function main(binary: string | undefined): Promise<void> {
  const folder = process.env.CACHE_TESTS
  if (folder === undefined)
    throw new ToolFailure('CACHE_TESTS must name the folder of the installed package http-cache-tests')
  const loaded: { default: Suite[] } = await import(pathToFileURL(path.join(folder, 'tests/index.mjs')).href)
  const env = {
    ...process.env,
    npm_config_protocol: 'http',
    npm_config_port: String(ORIGIN_PORT),
    npm_package_config_id: '',
  }
  const pidfile = path.join(os.tmpdir(), `cache-tests-${process.pid}.pid`)
  const origin = spawn(process.execPath, ['server/server.mjs'], {
    cwd: folder,
    stdio: 'ignore',
    env: { ...env, npm_config_pidfile: pidfile },
  })
  try {
    await listens(ORIGIN_PORT)
    const modes = binary === undefined ? ['off', 'on'] : ['']
    for (const mode of modes) {
      const own = mode === '' ? '' : `proxy_cache_rfc9111 ${mode};`
      const results = await runAgainst(binary ?? viaduct(), own, folder, env)
      console.log(mode === '' ? binary : `proxy_cache_rfc9111 ${mode}`)
      report(loaded.default, results)
    }
  } finally {
    origin.kill()
    fs.rmSync(pidfile, { force: true })
  }
}

function viaduct(): string {
  return fileURLToPath(new URL('../bin/viaduct', import.meta.url))
}

async function runAgainst(binary: string, own: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Results> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'cache-tests-'))
  fs.chmodSync(dir, 0o755)
  fs.writeFileSync(path.join(dir, 'nginx.conf'), configuration(dir, own))
  const server = spawn(binary, ['-p', `${dir}/`, '-c', path.join(dir, 'nginx.conf')], { stdio: 'inherit' })
  try {
    await listens(SERVER_PORT)
    const base = `http://127.0.0.1:${SERVER_PORT}`
    const args = ['--no-warnings', 'cli.mjs']
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd,
      env: { ...env, npm_config_base: base },
    })
    return JSON.parse(stdout)
  } finally {
    await stopped(server)
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

function configuration(dir: string, own: string): string {
  return `daemon off; worker_processes 1; error_log ${dir}/error.log; pid ${dir}/pid; events {}
http { access_log off; proxy_cache_path ${dir}/cache levels=1:2 keys_zone=one:8m;
  server { listen 127.0.0.1:${SERVER_PORT}; ${own}
    location / { proxy_pass http://127.0.0.1:${ORIGIN_PORT}; proxy_cache one; proxy_cache_revalidate on; } } }
`
}

async function listens(port: number): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (open) return
    if (performance.now() > deadline) throw new Error(`nobody listens on port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function stopped(child: ChildProcess): Promise<void> {
  const end = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await end
}

function report(suites: readonly Suite[], results: Results): void {
  const tests = suites.filter(({ id }) => !LEFT_OUT.test(id)).flatMap((suite) => suite.tests)
  const byId = new Map(tests.map((test) => [test.id, test]))
  const passes = (id: string): boolean => {
    const depends = byId.get(id)?.depends_on ?? []
    return results[id] === true && depends.every(passes)
  }
  for (const kind of ['required', 'optimal', 'check'] as const) {
    const all = tests.filter((test) => (test.kind ?? 'required') === kind && test.browser_only !== true)
    const counted = all.filter((test) => (test.depends_on ?? []).every(passes))
    const failed = counted.filter((test) => results[test.id] !== true)
    const percent = ((100 * (counted.length - failed.length)) / counted.length).toFixed(1)
    const passed = `${counted.length - failed.length} of ${counted.length}`
    console.log(`  ${kind}: ${passed} (${percent} %), ${all.length - counted.length} depend on others that fail`)
    if (kind !== 'check') for (const { id } of failed) console.log(`    ${id}: ${JSON.stringify(results[id])}`)
  }
}

await command({
  called: 'npm run cache-tests',
  summary: 'the public tests for HTTP caches (cache-tests.fyi) against a server with a cache',
  usage: ['[PROGRAM]'],
  about: `This server, with \`proxy_cache_rfc9111\` off and on, or another program that reads the configuration. CACHE_TESTS names the folder of
the installed package http-cache-tests.`,
  options: {},
  examples: [
    ['', 'this server'],
    ['/usr/sbin/nginx', 'nginx'],
  ],
  run: async (_, [program, more]) => {
    if (more !== undefined) throw new ToolFailure(`it takes one program, not also "${more}"`)
    await main(program)
    return 0
  },
})
