/**
 * `npm run test:robustness`: what takes long or fills the machine: slow clients by the hundred, ten thousand idle
 * connections, mixed load with a reload every second, back ends that die, freeze and talk nonsense.
 *
 *     npm run test:robustness                 all of them, in about two minutes
 *     npm run test:robustness -- mixed        only files whose name contains one of the words
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TEST_TIMEOUT_MS = 120_000

const words = process.argv.slice(2)
const files = fs
  .globSync('test/robustness/*.load.ts', { cwd: ROOT })
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
// One after the other: each measures time or memory.
const options = [`--test-timeout=${TEST_TIMEOUT_MS}`, '--test-concurrency=1', '--test-force-exit']
const command = ['--disable-warning=ExperimentalWarning', '--test', ...options, ...files.sort()]
process.exitCode = spawnSync(process.execPath, command, { cwd: ROOT, stdio: 'inherit' }).status === 0 ? 0 : 1
