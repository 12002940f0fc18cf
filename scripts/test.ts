/**
 * What `npm test` and CI run: the type check, format and lint, the project's own rules, then tests. Those that start the
 * server start it as it is built, since that takes half the time; and of them `npm test` has only what shows at once
 * that something basic is broken, so that it takes two minutes and not eight.
 *
 *     npm test                          the checks, all tests of parts, and the basic ones of behaviour
 *     npm run test:behaviour            the other ones of behaviour (node scripts/test.ts --rest)
 *     npm test -- --only reload cli     only test files whose path contains one of the words, without the checks, and with
 *                                       the server's sources
 *     npm test -- --checks              only the checks
 *     npm test -- --basic               only the basic tests of behaviour
 *
 * VIADUCT_TEST_ENGINE=epoll (or io_uring) has servers that do not say it themselves use that engine for their sockets.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { testArguments } from './test-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BIN = `${ROOT}node_modules/.bin/`
const TEST_TIMEOUT_MS = 60_000
/** Where the server that tests start is built; see bin/viaduct. */
const BUILT = '.build'

/** The basic tests of behaviour. */
const BASIC = new Set(
  [
    'access-log access cache cli-options cli-test compression headers http1-keepalive http2 location',
    'map process-reload proxy-buffering proxy-headers proxy-keepalive proxy-request-body proxy-uri refused',
    'rewrite smuggling ssl static try-files',
  ]
    .join(' ')
    .split(' ')
    .map((name) => `test/behaviour/${name}.test.ts`),
)

interface Step {
  readonly name: string
  readonly command: readonly string[]
}

process.exitCode = main(process.argv.slice(2))

function main(args: readonly string[]): number {
  const only = args[0] === '--only' ? args.slice(1) : undefined
  // Without a file Node would run whatever it takes for a test.
  if (only !== undefined && filesFor(only, false).length === 0) {
    console.error(`no test file has ${only.join(' or ')} in its path`)
    return 1
  }
  const rest = args[0] === '--rest'
  const basic = args[0] === '--basic'
  const steps = only === undefined && !rest && !basic ? checks() : []
  if (args[0] !== '--checks') {
    if (only === undefined) steps.push({ name: 'build', command: [process.execPath, `${ROOT}scripts/build.ts`, BUILT] })
    steps.push(tests(basic ? [...BASIC] : filesFor(only, rest)))
  }
  if (only === undefined) process.env['VIADUCT_BUILT'] = BUILT
  keepCompiled()
  const failed = steps.filter((step) => !run(step)).map((step) => step.name)
  if (failed.length === 0) return 0
  console.error(`failed: ${failed.join(', ')}`)
  return 1
}

function checks(): Step[] {
  const steps = [
    { name: 'types', command: [`${BIN}tsc`, '--noEmit'] },
    { name: 'types of the dashboard', command: [`${BIN}tsc`, '--noEmit', '-p', 'dashboard'] },
    { name: 'format and lint', command: [`${BIN}biome`, 'check', '--error-on-warnings'] },
  ]
  const tidy = `${ROOT}scripts/tidy.ts`
  if (fs.existsSync(tidy)) steps.push({ name: 'tidy', command: [process.execPath, tidy] })
  return steps
}

/** Hundreds of processes read the same files; as bin/viaduct does it, in a folder of this user's own. */
function keepCompiled(): void {
  const folder = `/tmp/viaduct-code-${process.geteuid?.()}`
  fs.mkdirSync(folder, { recursive: true, mode: 0o755 })
  if (fs.lstatSync(folder).uid === process.geteuid?.()) process.env['NODE_COMPILE_CACHE'] ??= folder
}

function filesFor(only: readonly string[] | undefined, rest: boolean): string[] {
  const all = fs.globSync('test/**/*.test.ts', { cwd: ROOT })
  if (only !== undefined) return all.filter((file) => only.some((word) => file.includes(word)))
  return all.filter((file) => (file.startsWith('test/behaviour/') && !BASIC.has(file)) === rest)
}

function tests(files: readonly string[]): Step {
  const args = testArguments({ files, timeoutMs: TEST_TIMEOUT_MS, concurrency: availableParallelism() })
  return { name: 'tests', command: [process.execPath, ...args] }
}

function run({ name, command }: Step): boolean {
  const [program, ...args] = command
  const startedAt = performance.now()
  const { status } = spawnSync(program!, args, { cwd: ROOT, stdio: 'inherit' })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`${status === 0 ? 'ok' : 'FAILED'}: ${name} (${seconds} s)`)
  return status === 0
}
