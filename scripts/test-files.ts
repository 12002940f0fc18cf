/** How every script finds and runs test files. */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ToolFailure } from '../src/tools/frame/tool.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
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

/** The files of a pattern whose path contains one of the words, or all; without any Node would run whatever it takes for a test. */
export function testFiles(pattern: string, words: readonly string[]): string[] {
  const all = fs.globSync(pattern, { cwd: ROOT })
  const files = all.filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  if (files.length === 0) throw new ToolFailure(`no test file has ${words.join(' or ')} in its path`)
  return files
}
