/**
 * `npm run nginx-tests`: nginx's own test suite against this server. test/nginx-tests/passing.txt names the files that
 * pass, with the number of assertions; one that no longer does makes the command fail.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { command } from './command.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PASSING = `${ROOT}test/nginx-tests/passing.txt`
const RUNNER_FOLDER = process.env['NGINX_TESTS_RUNNER'] ?? path.join(ROOT, '../shared/nginx-tests')
const WHERE = `The suite is the repository nginx/nginx-tests: its folder is the first word, or NGINX_TESTS. The runner and the list of
files (run-nginx-tests, open.txt) lie in NGINX_TESTS_RUNNER.`

/** One file of the suite after its run. */
interface Result {
  readonly file: string
  readonly status: string
  readonly ok: number
  readonly detail: string
}

/** One file of the list, with what real nginx scores. */
interface Listed {
  readonly group: string
  readonly assertions: number
}

await command({
  called: 'npm run nginx-tests',
  summary: "nginx's own test suite against this server",
  usage: ['[OPTION ...] [DIR] [FILE ...]'],
  about: `All files that are ours to pass, or those that match. A file of test/nginx-tests/passing.txt that no longer passes makes the
command fail. ${WHERE}`,
  options: {
    passing: { type: 'boolean', help: 'only files of passing.txt' },
    record: { type: 'boolean', help: 'add to passing.txt what passes now and did not before' },
  },
  examples: [
    ['DIR', 'all of them'],
    ["DIR proxy 'limit_*' gzip.t", 'a group of files, those that match, one file'],
  ],
  run: (wanted, words) => {
    const first = words[0] !== undefined && isSuite(words[0]) ? words[0] : undefined
    const suite = first ?? process.env['NGINX_TESTS']
    if (suite === undefined || !isSuite(suite) || !fs.existsSync(`${RUNNER_FOLDER}/run-nginx-tests`)) {
      throw new ToolFailure(`nginx's test suite is not here. ${WHERE.replaceAll('\n', ' ')}`)
    }
    const passing = readPassing()
    const named = first === undefined ? words : words.slice(1)
    return runSuite(suite, wanted.passing === true ? [...passing.keys()] : named, passing, wanted.record === true)
  },
})

function runSuite(suite: string, patterns: readonly string[], passing: Map<string, number>, recorded: boolean): number {
  const results = run(suite, patterns)
  const broken = results.filter((result) => isBroken(result, passing))
  // Files that measure time fail now and then on a busy machine: believed when they fail alone, too.
  const again =
    broken.length === 0
      ? []
      : run(
          suite,
          broken.map((result) => result.file),
        )
  const lost = again.filter((result) => isBroken(result, passing))
  printGroups(results)
  if (recorded) record(results, passing)
  for (const { file, status, ok, detail } of lost) {
    console.error(`no longer passes: ${file} (${status}, ${ok} of ${passing.get(file)} assertions) ${detail}`)
  }
  return lost.length === 0 ? 0 : 1
}

function isSuite(folder: string): boolean {
  return fs.existsSync(path.join(folder, 'lib/Test/Nginx.pm'))
}

function isBroken({ file, status, ok }: Result, passing: ReadonlyMap<string, number>): boolean {
  const assertions = passing.get(file)
  return assertions !== undefined && (status !== 'pass' || ok < assertions)
}

function run(suite: string, patterns: readonly string[]): Result[] {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-nginx-tests-'))
  const out = `${folder}/results.tsv`
  const options = ['--suite', suite, '--binary', `${ROOT}bin/viaduct`, '--list', `${RUNNER_FOLDER}/open.txt`]
  options.push('--reference', `${RUNNER_FOLDER}/reference-1.31.5.tsv`, '--out', out)
  // The suite looks for nginx's name in responses.
  options.push('--env', 'TEST_NGINX_GLOBALS_HTTP=server_identity nginx;')
  // Workers of a server that root starts cannot read the folders of the suite.
  if (process.geteuid!() === 0) options.push('--user', 'nobody')
  spawnSync(`${RUNNER_FOLDER}/run-nginx-tests`, [...options, ...patterns], { stdio: 'inherit' })
  const results = fs.existsSync(out) ? parseResults(fs.readFileSync(out, 'utf8')) : []
  fs.rmSync(folder, { recursive: true })
  return results
}

function parseResults(text: string): Result[] {
  const [, ...lines] = text.trimEnd().split('\n')
  return lines.map((line) => {
    const [file = '', status = '', ok = '0', , detail = ''] = line.split('\t')
    return { file, status, ok: Number(ok), detail }
  })
}

function readPassing(): Map<string, number> {
  if (!fs.existsSync(PASSING)) return new Map()
  const lines = fs.readFileSync(PASSING, 'utf8').split('\n')
  return new Map(
    lines
      .filter((line) => /^[^#\s]/.test(line))
      .map((line) => {
        const [file = '', assertions = '0'] = line.split(' ')
        return [file, Number(assertions)]
      }),
  )
}

/** Adds files, and raises counts; nothing is ever taken away here. */
function record(results: readonly Result[], passing: Map<string, number>): void {
  const before = passing.size
  for (const { file, status, ok } of results) {
    if (status === 'pass' && ok > (passing.get(file) ?? 0)) passing.set(file, ok)
  }
  const lines = [...passing].sort(([a], [b]) => (a < b ? -1 : 1)).map(([file, assertions]) => `${file} ${assertions}`)
  const head = "# Files of nginx's test suite that pass, and how many assertions each; the list only grows."
  fs.writeFileSync(PASSING, [head, ...lines, ''].join('\n'))
  console.log(`recorded: ${passing.size} files, ${passing.size - before} of them new`)
}

function printGroups(results: readonly Result[]): void {
  const listed = readList()
  const groups = new Map<string, { files: number; passed: number; assertions: number; ok: number }>()
  for (const { file, status, ok } of results) {
    const { group, assertions } = listed.get(file) ?? { group: 'other', assertions: 0 }
    const sum = groups.get(group) ?? { files: 0, passed: 0, assertions: 0, ok: 0 }
    sum.files++
    if (status === 'pass') sum.passed++
    sum.assertions += assertions
    sum.ok += Math.min(ok, assertions)
    groups.set(group, sum)
  }
  console.log('\ngroup               files passed   assertions')
  for (const [group, { files, passed, assertions, ok }] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(`${group.padEnd(20)}${`${passed} of ${files}`.padStart(12)}${`${ok} of ${assertions}`.padStart(13)}`)
  }
}

/** Reads `FILE # GROUP, N assertions, needs ...`. */
function readList(): Map<string, Listed> {
  const text = fs.readFileSync(`${RUNNER_FOLDER}/open.txt`, 'utf8')
  const lines = text.matchAll(/^(\S+\.t) # (\S+), (\d+) assertions/gm)
  return new Map(
    [...lines].map(([, file, group, assertions]) => [file!, { group: group!, assertions: Number(assertions) }]),
  )
}
