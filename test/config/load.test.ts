/** Files on disk, snapshots, hints and the printed forms. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { Diagnostics } from '../../src/config/diagnostics.ts'
import { formatMessage, formatPlain, formatPretty } from '../../src/config/format.ts'
import { diskReader, type SourceReader, snapshotReader } from '../../src/config/include.ts'
import { loadConfig } from '../../src/config/load.ts'
import { Registry } from '../../src/config/registry.ts'
import { suggest } from '../../src/config/suggest.ts'
import { loadText, loadTexts, modules, settings } from './fixture.ts'

function load(path: string, reader: SourceReader, prefix = '/srv') {
  const diagnostics = new Diagnostics()
  const config = loadConfig({ path, prefix, modules, reader, diagnostics })
  return { config, diagnostics, text: diagnostics.all.map(formatMessage).join('\n') }
}

function withFolder(run: (folder: string) => void): void {
  const folder = mkdtempSync(`${tmpdir()}/config-`)
  try {
    run(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a missing main file is reported without a place', () => {
  assert.equal(
    load('/nowhere/nginx.conf', diskReader).text,
    'open() "/nowhere/nginx.conf" failed (2: No such file or directory)',
  )
  assert.equal(
    load('conf/x', diskReader, '/nowhere').text,
    'open() "/nowhere/conf/x" failed (2: No such file or directory)',
  )
})

test('files are read from disk by glob, in byte order, each kept once', () => {
  withFolder((folder) => {
    mkdirSync(`${folder}/sites/sub`, { recursive: true })
    writeFileSync(
      `${folder}/nginx.conf`,
      'http { include sites/[ab]?.conf; include sites/*/z.conf; include "sites/b{1,2}.*"; include sites/a1.conf; }',
    )
    for (const name of ['b1', 'a1', 'B1', '.a1', 'a22', 'sub/z'])
      writeFileSync(`${folder}/sites/${name}.conf`, 'words x;')
    const { config, text } = load(`${folder}/nginx.conf`, diskReader)
    assert.equal(text, '')
    const names = config.files.map((file) => file.path.slice(folder.length + 1))
    assert.deepEqual(names, ['nginx.conf', 'sites/a1.conf', 'sites/b1.conf', 'sites/sub/z.conf'])
  })
})

test('a folder cannot be included', () => {
  withFolder((folder) => {
    writeFileSync(`${folder}/nginx.conf`, `include ${folder};`)
    const { text } = load(`${folder}/nginx.conf`, diskReader)
    assert.equal(text, `pread() "${folder}" failed (21: Is a directory) in ${folder}/nginx.conf:1`)
  })
})

test('includes are limited in depth and in number', () => {
  const chain = new Map([['/etc/v/nginx.conf', 'include 0;']])
  for (let i = 0; i < 70; i++) chain.set(`/etc/v/${i}`, `include ${i + 1};`)
  const { diagnostics } = loadTexts(chain)
  assert.deepEqual(diagnostics.all.map(formatMessage), ['too many nested "include" directives in /etc/v/62:1'])

  const doubling = new Map([['/etc/v/nginx.conf', 'include 0;']])
  for (let i = 0; i < 20; i++) doubling.set(`/etc/v/${i}`, `include ${i + 1}; include ${i + 1};`)
  doubling.set('/etc/v/20', '')
  const { diagnostics: many } = loadTexts(doubling)
  assert.ok(many.all.length > 0 && many.all.every((d) => d.message === 'too many "include" directives'))
})

test('a finding in a snippet that several blocks include is reported once', () => {
  const texts = new Map([
    ['/etc/v/nginx.conf', 'http { server { include x; } server { include x; } }'],
    ['/etc/v/x', 'sendfile maybe; sendfile perhaps;'],
  ])
  assert.equal(loadTexts(texts).diagnostics.all.length, 2)
})

test('findings are limited in number', () => {
  const { diagnostics } = loadText('nonsense;\n'.repeat(5000))
  assert.deepEqual([diagnostics.all.length, diagnostics.failed], [1000, true])
})

test('a snapshot replays the load elsewhere', () => {
  const texts = new Map([
    ['/etc/v/nginx.conf', 'http { include s/*; include missing; }'],
    ['/etc/v/s/a', 'server { root "\udcff"; }'],
    ['/etc/v/key.pem', 'secret'],
  ])
  const { config, diagnostics } = loadTexts(texts)
  config.source.read('/etc/v/key.pem')
  const replay = snapshotReader(structuredClone(config.snapshot))
  const again = load('/etc/v/nginx.conf', replay)
  assert.deepEqual(again.diagnostics.all, diagnostics.all)
  assert.deepEqual(again.config.files, config.files)
  assert.equal(again.config.source.read('/etc/v/key.pem'), 'secret')
  assert.deepEqual(again.config.source.glob('/etc/v/s/*'), ['/etc/v/s/a'])
})

test('warnings alone do not make a configuration unusable', () => {
  const { diagnostics } = loadText('http { next_upstream error error; }')
  assert.deepEqual([diagnostics.failed, diagnostics.all.map((d) => d.level)], [false, ['warn']])
  const { diagnostics: none } = loadText('')
  none.warn('a warning')
  none.notice('a notice')
  assert.deepEqual([none.failed, none.all.length], [false, 2])
  none.emerg('no "events" section in configuration')
  assert.deepEqual(
    [none.failed, formatPlain(none.all[2]!)],
    [true, 'nginx: [emerg] no "events" section in configuration'],
  )
})

test('the pretty form shows the line, a caret and what to do', () => {
  const text = 'http {\n\tsendfil on;\r\n}\n'
  const { diagnostics } = loadText(text)
  const pretty = formatPretty(diagnostics.all[0]!, () => text)
  assert.equal(
    pretty,
    [
      '[emerg] unknown directive "sendfil" in /etc/v/nginx.conf:2',
      '   |',
      ' 2 |  sendfil on;',
      '   |  ^',
      '  hint: did you mean "sendfile"?',
    ].join('\n'),
  )
  assert.equal(formatPretty(diagnostics.all[0]!, () => undefined).split('\n').length, 2)
})

test('the plain place is where the statement ends, the shown one the word at fault', () => {
  const { diagnostics } = loadText('http { client_body_timeout\n  1x\n; }')
  const [d] = diagnostics.all
  assert.deepEqual([d!.at!.line, d!.shown!.line, d!.shown!.column], [3, 2, 3])
})

test('hints', () => {
  const hint = (text: string) => loadText(text).diagnostics.all[0]!.hint
  assert.equal(hint('htp { }'), 'did you mean "http"?')
  assert.equal(hint('http { sednfile on; }'), 'did you mean "sendfile"?')
  assert.equal(hint('http { zzzzzzzzz on; }'), undefined)
  assert.equal(hint('worker_connections 1;'), '"worker_connections" may stand in: events')
  assert.equal(hint('daemon on; daemon off;'), 'first given in /etc/v/nginx.conf:1')
  assert.equal(hint('http { satisfy some; }'), 'one of: all, any')
  assert.equal(hint('http { root x\n sendfile on; }'), 'is a ";" missing after "x" in line 1?')
  assert.equal(hint('http { root\n x y; }'), undefined)
  assert.equal(hint('http { root x }'), 'is a ";" missing after "x" in line 1?')
  assert.equal(hint('http { root x;'), 'the block of "http" in line 1 is not closed')
  assert.equal(hint('daemon\n "on;\n\n'), 'the quote that opens in line 2 is not closed')
  assert.equal(hint('\ufeffdaemon on;'), 'the file begins with a byte order mark; save it as UTF-8 without one')
  assert.equal(hint('http { perl x; }'), 'there is no Perl in here')
})

test('suggestions prefer the nearest name', () => {
  assert.equal(suggest('rooot', ['boot', 'root', 'robots']), 'root')
  assert.equal(suggest('ab', ['ba', 'xy']), 'ba')
  assert.equal(suggest('x', ['abc']), undefined)
})

test('one name in one context has one owner', () => {
  const twice = [
    { name: 'a', directives: { root: settings.root } },
    { name: 'b', directives: { root: settings.root } },
  ]
  assert.throws(() => new Registry(twice), /declared by both a and b/)
})

test('a word with a zero byte is refused: no file and no user can be named so', () => {
  const { diagnostics } = loadText('words a "b\0c";')
  const said = diagnostics.all.map((found) => found.message)
  assert.deepEqual(said, ['unexpected zero byte in "words" directive'])
})
