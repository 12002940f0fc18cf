/**
 * What `npm test` and CI run: the type check, format and lint, the project's own rules, then all tests, which start the
 * server as it is built, since that takes half the time.
 *
 *     npm test                          everything
 *     npm test -- --only reload cli     only test files whose path contains one of the words, without the checks, and with
 *                                       the server's sources
 *     npm test -- --checks              only the checks
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BIN = `${ROOT}node_modules/.bin/`
/** A test that waits for something that never happens must not stop the run. */
const TEST_TIMEOUT_MS = 60_000
/** Where the server that tests start is built; see bin/viaduct. */
const BUILT = '.build'

interface Step {
  readonly name: string
  readonly command: readonly string[]
}

process.exitCode = main(process.argv.slice(2))

function main(args: readonly string[]): number {
  const only = args[0] === '--only' ? args.slice(1) : undefined
  const steps = only === undefined ? checks() : []
  if (args[0] !== '--checks') {
    if (only === undefined) steps.push({ name: 'build', command: [process.execPath, `${ROOT}scripts/build.ts`, BUILT] })
    steps.push(tests(only ?? ['']))
  }
  if (only === undefined) process.env['VIADUCT_BUILT'] = BUILT
  const failed = steps.filter((step) => !run(step)).map((step) => step.name)
  if (failed.length === 0) return 0
  console.error(`failed: ${failed.join(', ')}`)
  return 1
}

function checks(): Step[] {
  const steps = [
    { name: 'types', command: [`${BIN}tsc`, '--noEmit'] },
    { name: 'format and lint', command: [`${BIN}biome`, 'check', '--error-on-warnings'] },
  ]
  const tidy = `${ROOT}scripts/tidy.ts`
  if (fs.existsSync(tidy)) steps.push({ name: 'tidy', command: [process.execPath, tidy] })
  return steps
}

function tests(words: readonly string[]): Step {
  const files = fs
    .globSync('test/**/*.test.ts', { cwd: ROOT })
    .filter((file) => words.some((word) => file.includes(word)))
  const options = [`--test-timeout=${TEST_TIMEOUT_MS}`, `--test-concurrency=${availableParallelism()}`]
  return {
    name: 'tests',
    command: [process.execPath, '--disable-warning=ExperimentalWarning', '--test', ...options, ...files.sort()],
  }
}

function run({ name, command }: Step): boolean {
  const [program, ...args] = command
  const startedAt = performance.now()
  const { status } = spawnSync(program!, args, { cwd: ROOT, stdio: 'inherit' })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`${status === 0 ? 'ok' : 'FAILED'}: ${name} (${seconds} s)`)
  return status === 0
}
