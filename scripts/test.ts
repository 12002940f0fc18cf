/**
 * What `npm test` and CI run: the type check, format and lint, the project's own rules, then tests. Those that start the
 * server start it as it is built, since that takes half the time; and of them `npm test` has only what shows at once
 * that something basic is broken, so that it takes two minutes and not eight.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { command } from './command.ts'
import { testArguments, testFiles } from './test-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BIN = `${ROOT}node_modules/.bin/`
const TEST_TIMEOUT_MS = 60_000
const ALL = 'test/**/*.test.ts'
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

await command({
  called: process.argv.includes('--rest') ? 'npm run test:behaviour' : 'npm test',
  summary: 'checks and tests',
  usage: ['[--checks | --basic | --rest]', '--only WORD ...'],
  about: `Without an option: the checks, all tests of parts, and the basic ones of behaviour (the running server). The other ones of
behaviour are \`npm run test:behaviour\`. Servers are started as they are built.

VIADUCT_TEST_ENGINE=epoll (or io_uring) has servers that do not say it themselves use that engine for their sockets.`,
  options: {
    only: {
      type: 'boolean',
      help: "only files whose path contains a word, without the checks, with the server's sources",
    },
    checks: { type: 'boolean', help: "only the checks: types, format, lint, the project's rules" },
    basic: { type: 'boolean', help: 'only the basic tests of behaviour' },
    rest: { type: 'boolean', help: 'only the other tests of behaviour' },
  },
  examples: [
    ['', 'what should pass before each commit'],
    ['--only reload cli', 'files that have "reload" or "cli" in their path'],
  ],
  run: (wanted, words) => {
    const only = wanted.only === true
    const ways = [only, wanted.checks, wanted.basic, wanted.rest].filter((way) => way === true)
    if (ways.length > 1) throw new ToolFailure('--only, --checks, --basic and --rest exclude each other')
    if (only !== words.length > 0)
      throw new ToolFailure(only ? '--only needs words' : `words need --only: "${words[0]}"`)
    const steps = ways.length === 0 || wanted.checks === true ? checks() : []
    if (wanted.checks !== true) {
      if (!only) steps.push({ name: 'build', command: [process.execPath, `${ROOT}scripts/build.ts`, BUILT] })
      if (only) steps.push(tests(testFiles(ALL, words)))
      else steps.push(tests(wanted.basic === true ? [...BASIC] : testsOf(wanted.rest === true)))
    }
    if (!only) process.env['VIADUCT_BUILT'] = BUILT
    return runAll(steps)
  },
})

function runAll(steps: readonly Step[]): number {
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

/** The tests of parts and the basic ones of behaviour, or the rest. */
function testsOf(rest: boolean): string[] {
  return testFiles(ALL, []).filter((file) => (file.startsWith('test/behaviour/') && !BASIC.has(file)) === rest)
}

function tests(files: readonly string[]): Step {
  const args = testArguments({ files, timeoutMs: TEST_TIMEOUT_MS, concurrency: availableParallelism() })
  return { name: 'tests', command: [process.execPath, ...args] }
}

function run({ name, command: words }: Step): boolean {
  const [program, ...args] = words
  const startedAt = performance.now()
  const { status } = spawnSync(program!, args, { cwd: ROOT, stdio: 'inherit' })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`${status === 0 ? 'ok' : 'FAILED'}: ${name} (${seconds} s)`)
  return status === 0
}
