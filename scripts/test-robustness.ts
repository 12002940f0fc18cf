/**
 * `npm run test:robustness`: what takes long or fills the machine: slow clients by the hundred, ten thousand idle
 * connections, mixed load with a reload every second, back ends that die, freeze and talk nonsense, and all of it at once.
 *
 *     npm run test:robustness                 all of them, in about three minutes
 *     npm run test:robustness -- mixed        only files whose name contains one of the words
 *     CHAOS_SECONDS=1800 npm run test:robustness -- upheaval
 *                                             half an hour of reloads, deaths and resets at any point, with checksums
 *
 * VIADUCT_TEST_ENGINE=epoll (or io_uring) runs them over that engine.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { testArguments } from './test-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Who wants chaos for longer gets the time for it. */
const TEST_TIMEOUT_MS = 120_000 + 1000 * Number(process.env['CHAOS_SECONDS'] ?? 0)

const words = process.argv.slice(2)
const files = fs
  .globSync('test/robustness/*.load.ts', { cwd: ROOT })
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
// One after the other: each measures time or memory.
const command = testArguments({ files, timeoutMs: TEST_TIMEOUT_MS, concurrency: 1 })
process.exitCode = spawnSync(process.execPath, command, { cwd: ROOT, stdio: 'inherit' }).status === 0 ? 0 : 1
