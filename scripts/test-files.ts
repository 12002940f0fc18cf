/** How every script runs test files. */
import { fileURLToPath } from 'node:url'

const OVERDUE = fileURLToPath(new URL('../test/harness/overdue.ts', import.meta.url))

/** What the runner is to do with files. */
export interface TestFiles {
  readonly files: readonly string[]
  /** A test that waits for something that never happens must not stop the run. */
  readonly timeoutMs: number
  /** Files at a time. */
  readonly concurrency: number
}

/** Arguments of Node that run test files. */
export function testArguments({ files, timeoutMs, concurrency }: TestFiles): string[] {
  const options = [`--test-timeout=${timeoutMs}`, `--test-concurrency=${concurrency}`, `--import=${OVERDUE}`]
  return ['--disable-warning=ExperimentalWarning', '--test', ...options, ...files.toSorted()]
}
