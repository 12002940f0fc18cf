/** The command lines of the project (`npm run NAME`, `node FILE`): each says what it takes, and refuses what it does not in one line. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CALLED = /^ {2}called: (?:.*\? )?'([^']+)'/m

interface Said {
  readonly code: number | string | undefined
  readonly out: string
  readonly error: string
}

/** What is called, and the words that run it: package.json's scripts, and files that are commands and no script of it. */
function commands(): Map<string, readonly string[]> {
  const { scripts } = JSON.parse(fs.readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: Record<string, string> }
  const found = new Map<string, readonly string[]>()
  for (const [name, line] of Object.entries(scripts)) {
    // npm runs `prepare` itself, without words.
    if (name !== 'prepare' && /^node (?:scripts|bench)\//.test(line))
      found.set(name === 'test' ? 'npm test' : `npm run ${name}`, line.split(' ').slice(1))
  }
  const files = new Set([...found.values()].map(([file]) => file))
  for (const file of fs.globSync(['scripts/*.ts', 'bench/*.ts'], { cwd: ROOT })) {
    const text = fs.readFileSync(ROOT + file, 'utf8')
    if (!files.has(file) && CALLED.test(text) && /^await command\(/m.test(text)) found.set(`node ${file}`, [file])
  }
  return found
}

function run(words: readonly string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(process.execPath, words, { cwd: ROOT }, (failed, out, error) => {
      resolve({ code: failed === null ? 0 : (failed.code ?? undefined), out, error })
    })
  })
}

test('finds them', () => {
  const found = [...commands().keys()]
  for (const name of ['npm test', 'npm run test:behaviour', 'npm run bench', 'npm run docs'])
    assert.ok(found.includes(name))
  for (const name of ['node scripts/debian-package.ts', 'node bench/expired-object.ts']) assert.ok(found.includes(name))
})

for (const [called, words] of commands()) {
  test(`${called} --help`, async () => {
    const { code, out, error } = await run([...words, '--help'])
    assert.equal(code, 0)
    assert.equal(error, '')
    assert.ok(out.startsWith(`${called}: `), out)
    assert.match(out, /^Usage: npm|^Usage: node/m)
    assert.match(out, /^Examples$/m)
  })

  test(`${called} with an option that it does not know`, async () => {
    const { code, out, error } = await run([...words, '--hlep'])
    assert.equal(code, 2)
    assert.equal(out, '')
    const help = called.startsWith('npm') ? `${called} -- --help` : `${called} --help`
    assert.equal(error, `${called}: Unknown option '--hlep'; ${help} lists the options\n`)
  })
}

const REFUSED: readonly (readonly [called: string, words: readonly string[], said: string])[] = [
  ['npm run bench', ['--second', '3'], `Unknown option '--second'; did you mean "--seconds"?`],
  ['npm run bench', ['--seconds', 'three'], '--seconds is a number above 0, not "three"'],
  ['npm run bench', ['fixd'], 'it does not know "fixd"; did you mean "fixed"?'],
  ['npm run bench', ['--engine', 'kqueue'], 'no engine "kqueue"; there are: io_uring epoll'],
  ['npm run bench:operations', ['--rounds', '0'], '--rounds is a number above 0, not "0"'],
  ['npm run bench:operations', ['--print=no'], "Option '--print' does not take an argument"],
  ['npm run fuzz', ['--minute', '1'], `Unknown option '--minute'; did you mean "--minutes"?`],
  ['npm run fuzz', ['--seed', '-1'], "Option '--seed' argument is ambiguous."],
  ['npm run fuzz', ['--seed', 'x'], '--seed is a number, not "x"'],
  ['npm run fuzz', ['20'], 'it does not know "20"; it takes no words but its options'],
  ['npm test', ['--check'], `Unknown option '--check'; did you mean "--checks"?`],
  ['npm test', ['cli'], 'words need --only: "cli"'],
  ['npm test', ['--only'], '--only needs words'],
  ['npm test', ['--only', '--basic', 'cli'], '--only, --checks, --basic and --rest exclude each other'],
  ['npm test', ['--only', 'no-such-test'], 'no test file has no-such-test in its path'],
  ['npm run test:robustness', ['no-such-test'], 'no test file has no-such-test in its path'],
  ['npm run test:deploy', ['no-such-test'], 'no test file has no-such-test in its path'],
  ['npm run nginx-tests', ['--pasing'], `Unknown option '--pasing'; did you mean "--passing"?`],
  ['npm run tls-audit', ['modem'], 'it does not know "modem"; did you mean "modern"?'],
  ['npm run docs', ['all'], 'it does not know "all"; it takes no words but its options'],
  ['npm run build', ['one', 'two'], 'it takes one folder, not also "two"'],
]

for (const [called, words, said] of REFUSED) {
  test(`${called} ${words.join(' ')}`, async () => {
    const { code, out, error } = await run([...commands().get(called)!, ...words])
    assert.equal(out, '')
    const [line, ...more] = error.split('\n')
    assert.deepEqual(more, [''])
    assert.ok(line!.startsWith(`${called}: ${said}`), error)
    assert.equal(code, 2)
  })
}
