/** `viaduct fmt`: only blanks change, everything else stays, and a second time changes nothing. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { decodeText } from '../../src/lib/text.ts'
import { formatText } from '../../src/tools/fmt.ts'
import { ToolFailure } from '../../src/tools/frame/tool.ts'
import { Dice } from '../harness/dice.ts'
import { Workshop } from './console.ts'

const CASES: readonly (readonly [what: string, before: string, after: string])[] = [
  [
    'blocks and statements',
    'http{server{listen 80;root /srv;}}',
    'http {\n    server {\n        listen 80;\n        root /srv;\n    }\n}\n',
  ],
  ['empty blocks', 'events{\n}\n', 'events {}\n'],
  ['at most two blank lines', '\n\na 1;\n\n\n\n\nb 2;\n\n', 'a 1;\n\n\nb 2;\n'],
  ['none at the ends of blocks', 'http {\n\n  a 1;\n\n}\n', 'http {\n    a 1;\n}\n'],
  ['quotes and escapes', `a  "x  y"   'z' \\" "\\"";`, `a "x  y" 'z' \\" "\\"";\n`],
  ['regular expressions', 'location ~* "^/a{2}/(?<n>\\d+)\\.php$"   {}', 'location ~* "^/a{2}/(?<n>\\d+)\\.php$" {}\n'],
  ['variables in braces', `a   $${'{b}'}c$d;`, `a $${'{b}'}c$d;\n`],
  ['comments', '#a\nx 1;# b\n  #c\nhttp{ # d\n #e\n}# f\n', '#a\nx 1; # b\n#c\nhttp { # d\n    #e\n} # f\n'],
  ['comments in columns', 'a 1;  # x\nbbb 2; # y\n', 'a 1;   # x\nbbb 2; # y\n'],
  ['comments between words', 'a # x\n b\n # y\n ;', 'a # x\n    b\n    # y\n;\n'],
  ['lines within a statement', 'log_format m "a"\n      "b";\n', 'log_format m "a"\n    "b";\n'],
  [
    'words below each other',
    'http {\nlog_format m "a"\n             "b";\n}',
    'http {\n    log_format m "a"\n                 "b";\n}\n',
  ],
  ['tables', 'map $a $b { default  1;\n  ~long  2; }', 'map $a $b {\n    default 1;\n    ~long   2;\n}\n'],
  ['tables without columns', 'map $a $b { default 1;\n  ~l 2; }', 'map $a $b {\n    default 1;\n    ~l 2;\n}\n'],
  ['quoted lines', 'a "x\n   y";', 'a "x\n   y";\n'],
  [
    'Lua',
    'content_by_lua_block {\n  if x then return "}" end -- }\n}\na;',
    'content_by_lua_block {\n  if x then return "}" end -- }\n}\na;\n',
  ],
  ['templates', 'a   {{ port }};\n{% if x %}\nb;\n{% endif %}', 'a {{ port }};\n{% if x %}\nb;\n{% endif %}\n'],
  ['line ends of Windows', 'a   1;\r\nb 2;\r\n', 'a 1;\r\nb 2;\r\n'],
  ['nothing', '', ''],
]

for (const [what, before, after] of CASES) {
  test(`fmt: ${what}`, () => {
    assert.equal(formatText(before, 'x', { indent: '    ' }), after)
    assert.equal(formatText(after, 'x', { indent: '    ' }), after)
  })
}

test('bytes that are no text stay', async () => {
  using shop = new Workshop()
  fs.writeFileSync(`${shop.dir}/a.conf`, Buffer.from('61203bff5c0a', 'hex'))
  fs.writeFileSync(`${shop.dir}/b.conf`, Buffer.from('6120  22ff22 3b'.replaceAll(' ', ''), 'hex'))
  assert.equal((await shop.run(['fmt', '-w', 'b.conf'])).status, 0)
  assert.equal(fs.readFileSync(`${shop.dir}/b.conf`).toString('hex'), '612022ff223b0a')
})

test('-w changes files and names them; --check finds them', async () => {
  using shop = new Workshop({ 'a.conf': 'a  1;\n', 'sub/b.nginx': 'b 2;\n', 'sub/c.txt': 'c   3;' })
  fs.chmodSync(`${shop.dir}/a.conf`, 0o640)
  const check = await shop.run(['fmt', '--check', '.'])
  assert.deepEqual([check.status, check.out], [1, 'a.conf\n'])
  assert.deepEqual(JSON.parse((await shop.run(['fmt', '--check', '--json', '.'])).out), { changed: ['a.conf'] })
  assert.equal((await shop.run(['fmt', '-w', '.'])).error, 'a.conf\n')
  assert.equal(shop.read('a.conf'), 'a 1;\n')
  assert.equal(fs.statSync(`${shop.dir}/a.conf`).mode & 0o777, 0o640)
  assert.equal((await shop.run(['fmt', '--check', '.'])).status, 0)
})

test('a file whose grammar is wrong is left alone', async () => {
  using shop = new Workshop({ 'a.conf': 'http {\n a 1\n}' })
  const { status, error } = await shop.run(['fmt', '-w', 'a.conf'])
  assert.equal(status, 2)
  assert.equal(error, 'viaduct fmt: unexpected "}" in a.conf:3\n  hint: is a ";" missing after "1" in line 2?\n')
  assert.match((await shop.run(['fmt', 'none.conf'])).error, /open\(\) ".*none.conf" failed \(2: No such file/)
})

test('standard input, and only some lines of it', async () => {
  using shop = new Workshop()
  assert.equal((await shop.run(['fmt', '-'], 'a   1;')).out, 'a 1;\n')
  const text = 'http {\n  a   1;\n   b   2;\n c   3;\n}\n'
  assert.equal((await shop.run(['fmt', '--lines', '3:3', '-'], text)).out, 'http {\n  a   1;\n    b 2;\n c   3;\n}\n')
  assert.equal((await shop.run(['fmt', '--lines', '4:5', '-'], text)).out, formatText(text, 'x', { indent: '    ' }))
})

test('every configuration at hand keeps its meaning, also when it is damaged', () => {
  const files = fs.globSync([
    'conf/**/*',
    'deploy/**/*.conf',
    'examples/**/*.{conf,nginx}',
    'test/config/golden/*.conf',
  ])
  const dice = new Dice(7)
  for (const file of files) {
    if (!fs.statSync(file).isFile()) continue
    const text = decodeText(fs.readFileSync(file))
    for (let round = 0; round < 10; round++) twice(round === 0 ? text : damaged(text, dice), file)
  }
})

function twice(text: string, file: string): void {
  try {
    const once = formatText(text, file, { indent: '    ' })
    assert.equal(formatText(once, file, { indent: '    ' }), once)
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error
  }
}

function damaged(text: string, dice: Dice): string {
  const at = dice.below(text.length + 1)
  const signs = ['"', "'", '{', '}', ';', '#', '\\', '\n', '$', ' ', '${', '{{', '}}', '\r']
  return text.slice(0, at) + signs[dice.below(signs.length)]! + text.slice(at + dice.below(3))
}
