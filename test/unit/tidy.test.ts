/** The rules of scripts/tidy: each finds what breaks it in a small tree, and nothing in a good one. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { writePages } from '../../scripts/reference-pages.ts'
import { checkDirectives, checkPages } from '../../scripts/tidy/declaration-rules.ts'
import { checkImports } from '../../scripts/tidy/import-rules.ts'
import { checkSizes } from '../../scripts/tidy/size-rules.ts'
import { parseTree } from '../../scripts/tidy/source-tree.ts'
import { checkTexts } from '../../scripts/tidy/text-rules.ts'
import { checkFiles } from '../../scripts/tidy.ts'
import { flag, number } from '../../src/config/args.ts'
import { directive } from '../../src/config/directive.ts'

const HEADER = '/** Has a purpose. */\n'

function inTree<T>(files: Readonly<Record<string, string>>, run: (root: string) => T): T {
  const root = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'viaduct-tidy-'))
  try {
    const config = {
      compilerOptions: { noEmit: true, types: [], allowImportingTsExtensions: true },
      include: ['**/*.ts'],
    }
    for (const [name, text] of Object.entries({ 'tsconfig.json': JSON.stringify(config), ...files })) {
      fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
      fs.writeFileSync(path.join(root, name), text)
    }
    return run(root)
  } finally {
    fs.rmSync(root, { recursive: true })
  }
}

/** Findings as `path:line message`, each file given a header comment and, unless it is told, somebody who imports it. */
function findings(files: Readonly<Record<string, string>>, users = importAll(files)): string[] {
  const told = Object.entries({ ...files, 'bench/users.ts': users }).map(([name, text]) => [name, HEADER + text])
  return inTree(Object.fromEntries(told), (root) =>
    checkFiles(root).map(({ path: file, line, message }) => `${file}:${line - 1} ${message}`),
  )
}

function importAll(files: Readonly<Record<string, string>>): string {
  return Object.keys(files)
    .map((name) => `import '../${name}'\n`)
    .join('')
}

test('a good tree has no findings', () => {
  const found = findings({
    'src/lib/a.ts': '/** One. */\nexport const ONE = 1\nexport const TWO = 2\n',
    'src/http/b.ts': `import { ONE } from '../lib/a.ts'\nimport type { C } from './c.ts'\nexport const b = (c: C) => c && ONE\n`,
    'src/http/c.ts': `import { b } from './b.ts'\n/** Is named by another. */\nexport interface C {}\n/** Calls. */\nexport const c = () => b({})\n`,
    'src/main.ts': `import { c } from './http/c.ts'\nprocess.exit(Number(c()))\n`,
  })
  assert.deepEqual(found, [])
})

test('imports run down, and modules know nothing of each other', () => {
  const found = findings({
    'src/lib/a.ts': `import '../http/b.ts'\n`,
    'src/http/b.ts': `import type {} from '../stream/c.ts'\nimport '../../test/t.ts'\nimport net from 'node:net'\nnet\n`,
    'src/stream/c.ts': `import '../modules/index.ts'\nimport '../odd/d.ts'\n`,
    'src/odd/d.ts': '',
    'src/modules/index.ts': `import './http/x/x.ts'\nimport './http/y.ts'\nimport './core/main.ts'\n`,
    'src/modules/core/main.ts': '',
    'src/modules/http/x/x.ts': `import './part.ts'\nimport '../y.ts'\nimport '../../core/main.ts'\n`,
    'src/modules/http/x/part.ts': '',
    'src/modules/http/y.ts': `import './x/part.ts'\n`,
    'src/runtime/r.ts': `import '../modules/core/main.ts'\nimport '../modules/http/y.ts'\n`,
    'src/cli/s.ts': `import '../modules/index.ts'\nexport { r } from '../runtime/r.ts'\n`,
    'test/t.ts': `import '../src/lib/a.ts'\n`,
  })
  assert.deepEqual(found.sort(), [
    'src/cli/s.ts:2 names are exported where they are defined',
    'src/http/b.ts:1 http may not import stream (src/stream/c.ts)',
    'src/http/b.ts:2 test/t.ts is outside of src/',
    'src/http/b.ts:3 node:net is used in src/net/ alone',
    'src/lib/a.ts:1 lib may not import http (src/http/b.ts)',
    'src/modules/http/x/x.ts:2 src/modules/http/y.ts belongs to another module',
    'src/modules/http/y.ts:1 src/modules/http/x/part.ts belongs to another module',
    'src/runtime/r.ts:2 src/modules/http/y.ts is reached through the list of modules',
    'src/stream/c.ts:1 src/modules/index.ts is passed as a parameter',
    'src/stream/c.ts:2 src/odd is no layer',
  ])
})

test('imports do not go round, except for types', () => {
  const found = findings({
    'src/lib/a.ts': `import './b.ts'\n`,
    'src/lib/b.ts': `import './c.ts'\n`,
    'src/lib/c.ts': `import './a.ts'\n`,
    'src/lib/d.ts': `import { type E } from './e.ts'\n/** One. */\nexport const d = (e: E) => e\n`,
    'src/lib/e.ts': `import { d } from './d.ts'\n/** Two. */\nexport interface E {}\nd({})\n`,
  })
  assert.deepEqual(found, [
    'src/lib/a.ts:0 imports go round in a circle: src/lib/a.ts -> src/lib/b.ts -> src/lib/c.ts -> src/lib/a.ts',
  ])
})

test('files and functions stay small, unless there is a reason', () => {
  const body = '  f\n'.repeat(69)
  const files = {
    'src/lib/long.ts': '\n'.repeat(700) + '//\n',
    'src/lib/f.ts': `function f() {\n${body}}\nclass C {\n  /** Not counted. */\n  get g() {\n${body}}\n}\nnew C()\n`,
    'src/lib/g.ts': `const g = () => {\n${'  g\n'.repeat(68)}}\n`,
  }
  inTree(files, (root) => {
    const check = (exempt: Record<string, string>): string[] =>
      checkSizes(parseTree(root), exempt).map(({ path: file, line, message }) => `${file}:${line} ${message}`)
    assert.deepEqual(check({}).sort(), [
      'src/lib/f.ts:1 f has 71 lines: a function has at most 70',
      'src/lib/f.ts:74 g has 71 lines: a function has at most 70',
      'src/lib/long.ts:1 701 lines: a file has at most 700',
    ])
    const exempt = { 'src/lib/f.ts#f': 'a switch', 'src/lib/f.ts#g': 'a switch', 'src/lib/g.ts#g': 'a switch' }
    assert.deepEqual(check(exempt).sort(), [
      'src/lib/g.ts:1 src/lib/g.ts#g needs no exemption',
      'src/lib/long.ts:1 701 lines: a file has at most 700',
    ])
  })
})

test('exports are used, told about, and few', () => {
  const found = findings({
    'src/lib/a.ts': `export const A = 1\nexport const B = 2\n\n/** Three. */\nexport const C = 3\nexport function f() {}\nexport default f\n`,
    'src/lib/b.ts': `import { B } from './a.ts'\nimport * as d from './d.ts'\nB\nd\n`,
    'src/lib/d.ts': `export class D {}\n`,
  })
  assert.deepEqual(found.sort(), [
    'src/lib/a.ts:1 A is exported without a comment',
    'src/lib/a.ts:5 C is exported and nobody imports it',
    'src/lib/a.ts:6 f is exported and nobody imports it',
    'src/lib/a.ts:6 f is exported without a comment',
    'src/lib/a.ts:7 a default export has no name to search for',
  ])
  const four = ['a', 'b', 'c', 'd'].map((name) => `/** It. */\nexport function ${name}() {}\n`).join('')
  const users = { 'test/all.ts': `import * as all from '../src/lib/four.ts'\nall\n` }
  assert.deepEqual(findings({ 'src/lib/four.ts': four, ...users }), ['src:0 4.00 exports per file: at most 3'])
})

test('the data plane neither waits nor throws nor listens', () => {
  const code = `import { Readable } from 'node:stream'
async function a() { await a() }
new Promise(() => {})
Promise.all([])
a().then(() => {})
process.on('exit', () => {})
try { a() } catch {}
Math.max(...[1])
const list = [...[1], Readable]
// tidy: happens once at start
try { a() } catch {}
// tidy: because
try { a() } catch {}
list
class A { get #a() { return 1 } get b() { return this.#a } }
`
  const bad = [
    '1 the data plane has no use for node:stream',
    '2 the data plane has no async functions',
    '2 the data plane awaits nothing',
    '3 the data plane makes no promises',
    '4 the data plane makes no promises',
    '5 promises enter the data plane by Request.waitFor',
    '6 the data plane has owners, not emitters',
    '7 the data plane has no exceptions',
    '8 a spread makes an array per call',
    '13 the data plane has no exceptions',
    '15 V8 calls its runtime for a private getter, which a method does without',
  ]
  const inHttp = findings({ 'src/http/a.ts': code })
  assert.deepEqual(
    inHttp,
    bad.map((text) => `src/http/a.ts:${text}`),
  )
  assert.deepEqual(findings({ 'src/modules/http/a.ts': code }).length, bad.length)
  assert.deepEqual(findings({ 'src/cli/a.ts': code }), [])
})

test('nowhere any, and one place to exit', () => {
  const found = findings({ 'src/cli/a.ts': 'const a: any = 1\nprocess.exit(a)\n', 'test/a.ts': 'process.exit(1)\n' })
  assert.deepEqual(found, ['src/cli/a.ts:1 `any` says nothing', 'src/cli/a.ts:2 only main.ts ends the process'])
})

test('files that nothing leads to are found', () => {
  const files = {
    'src/main.ts': `import './process/a.ts'\n`,
    'src/process/a.ts': `new URL('./entry.ts', import.meta.url)\n`,
    'src/process/entry.ts': '',
    'src/lib/left.ts': '',
  }
  assert.deepEqual(findings(files, ''), ['src/lib/left.ts:0 nobody imports this file'])
})

test('files open with their purpose', () => {
  const found = inTree({ 'test/a.ts': '// No.\n' }, (root) => checkFiles(root))
  assert.deepEqual(found, [{ path: 'test/a.ts', line: 1, message: 'a file opens with what it is for' }])
})

test('texts have no notes to self and no paths of a machine', () => {
  const note = 'FIX' + 'ME'
  const files = { 'docs/a.md': `Good.\n${note}: later\n`, 'conf/b.conf': `root /${'home'}/me;\nroot /var/home/x;\n` }
  inTree(files, (root) => {
    const found = checkTexts(root).sort((a, b) => (a.path < b.path ? -1 : 1))
    assert.deepEqual(found, [
      { path: 'conf/b.conf', line: 1, message: 'a path that exists on one machine' },
      { path: 'docs/a.md', line: 2, message: `"${note}": do it, or write an issue` },
    ])
  })
})

test('a file outside of net/ may use the network when it is on the list', () => {
  const files = { 'src/process/a.ts': `import 'node:net'\n`, 'test/a.ts': `import '../src/process/a.ts'\n` }
  inTree(files, (root) => {
    const check = (allowed: Record<string, string>): string[] =>
      checkImports(parseTree(root), allowed).map(({ message }) => message)
    assert.deepEqual(check({}), ['node:net is used in src/net/ alone'])
    assert.deepEqual(check({ 'src/process/a.ts': 'binds' }), [])
  })
})

const MODULE = {
  name: 'http_x',
  doc: 'Does it.',
  directives: {
    good: directive({ in: ['http'], args: flag, default: 'on', doc: 'Turns it on.' }),
    quiet: directive({ in: ['http'], args: number(), doc: 'no sentence' }),
    wrong: directive({ in: [], args: number(), default: 'many', doc: 'Counts.', withoutEffect: 'nothing to count' }),
  },
  variables: { x_status: () => '' },
}

test('directives say what they are for and understand their defaults', () => {
  assert.deepEqual(
    checkDirectives([MODULE]).map(({ message }) => message),
    [
      'quiet: "no sentence" is no sentence',
      'wrong may stand nowhere',
      'default of directive "wrong": "wrong" directive invalid number',
    ],
  )
})

test('the reference pages are what the declarations say, in both directions', () => {
  inTree({ 'docs/reference/old.md': '' }, (root) => {
    const paths = (): string[] => checkPages(root, [MODULE]).map(({ path: file, line }) => `${file}:${line}`)
    assert.deepEqual(paths(), [
      `docs/reference/${MODULE.name}.md:1`,
      'docs/reference/README.md:1',
      'docs/reference/variables.md:1',
      'docs/reference/without-effect.md:1',
      'docs/reference/old.md:1',
    ])
    fs.rmSync(path.join(root, 'docs/reference/old.md'))
    writePages(root, [MODULE])
    assert.deepEqual(paths(), [])
    const page = path.join(root, `docs/reference/${MODULE.name}.md`)
    const text = fs.readFileSync(page, 'utf8')
    assert.match(
      text,
      /## good\n\nTurns it on\.\n\n- Syntax: `good on \| off;`\n- Default: `good on;`\n- Context: http\n/,
    )
    fs.writeFileSync(page, text.replace('Turns it on.', 'Turns it off.'))
    assert.deepEqual(paths(), [`docs/reference/${MODULE.name}.md:${text.split('Turns it on.')[0]!.split('\n').length}`])
  })
})
