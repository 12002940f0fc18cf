/**
 * `npm run test:robustness`: what takes long or fills the machine: slow clients by the hundred, ten thousand idle
 * connections, mixed load with a reload every second, back ends that die, freeze and talk nonsense, and all of it at once.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { command } from './command.ts'
import { testArguments, testFiles } from './test-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Who wants chaos for longer gets the time for it. */
const TEST_TIMEOUT_MS = 120_000 + 1000 * Number(process.env['CHAOS_SECONDS'] ?? 0)

await command({
  called: 'npm run test:robustness',
  summary: 'what takes long or fills the machine: floods, slow peers, deaths, reloads under load',
  usage: ['[WORD ...]'],
  about: `All of them, in about three minutes, or files whose path contains one of the words.

CHAOS_SECONDS=1800 has \`upheaval\` go on for half an hour: reloads, deaths and resets at any point, with checksums.
VIADUCT_TEST_ENGINE=epoll (or io_uring) runs them over that engine.`,
  options: {},
  examples: [['mixed', 'only files that have "mixed" in their path']],
  run: (_, words) => {
    const files = testFiles('test/robustness/*.load.ts', words)
    // One after the other: each measures time or memory.
    const args = testArguments({ files, timeoutMs: TEST_TIMEOUT_MS, concurrency: 1 })
    return spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' }).status === 0 ? 0 : 1
  },
})
