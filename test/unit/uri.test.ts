/** Targets, escaping and hosts: nginx's results, case by case. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type EscapeKind,
  escapeHtml,
  escapeUri,
  normalizeUri,
  unescapeUri,
  uriExtension,
  validateHost,
} from '../../src/http/message/uri.ts'

function normalized(target: string, mergeSlashes = true): string | undefined {
  const parts = { uri: '', args: '' }
  if (!normalizeUri(target, mergeSlashes, parts)) return undefined
  return parts.args === '' ? parts.uri : `${parts.uri} ? ${parts.args}`
}

const targets: [target: string, result: string | undefined][] = [
  ['/', '/'],
  ['/a/b.c', '/a/b.c'],
  ['/a b', '/a b'],
  ['/a+b', '/a+b'],
  ['/\xe9', '/\xe9'],
  ['/a?', '/a'],
  ['/a?b=c&d', '/a ? b=c&d'],
  ['/a?b?c', '/a ? b?c'],
  ['/a?b%2e/../', '/a ? b%2e/../'],
  ['/a?b#c', '/a ? b'],
  ['/a#b?c', '/a'],
  ['?a', '/ ? a'],
  ['?a#b', '/ ? a'],
  ['//', '/'],
  ['/a//b///c', '/a/b/c'],
  ['/a/%2f/b', '/a/b'],
  ['/.', '/'],
  ['/./', '/'],
  ['/a/.', '/a/'],
  ['/a/./b', '/a/b'],
  ['/a/.b', '/a/.b'],
  ['/a./b', '/a./b'],
  ['/a/..', '/'],
  ['/a/../b', '/b'],
  ['/a/b/../../c', '/c'],
  ['/a/..b', '/a/..b'],
  ['/a/...', '/a/...'],
  ['/a/.../b', '/a/.../b'],
  ['/a..', '/a..'],
  ['/a../b', '/a../b'],
  ['/a/..?x', '/ ? x'],
  ['/a/.#x', '/a/'],
  ['/a/../', '/'],
  ['/a//../b', '/b'],
  ['/..', undefined],
  ['/../a', undefined],
  ['/a/../../b', undefined],
  ['/a/../..', undefined],
  ['/%2e%2e/a', undefined],
  ['/..?a', undefined],
  ['/a/%2e%2e/b', '/b'],
  ['/a/.%2e/b', '/b'],
  ['/a/%2e/b', '/a/b'],
  ['/a%2e%2e', '/a..'],
  ['/%61%42', '/aB'],
  ['/%e9%E9', '/\xe9\xe9'],
  ['/a%3Fb', '/a?b'],
  ['/a%23b', '/a#b'],
  ['/a%25b', '/a%b'],
  ['/a%2525', '/a%25'],
  ['/%252e%252e/', '/%2e%2e/'],
  ['/a%0ab', '/a\nb'],
  ['/.%23', '/.#'],
  ['/%00', undefined],
  ['/a%', undefined],
  ['/a%2', undefined],
  ['/a%2?b', undefined],
  ['/a%zz', undefined],
  ['/a%2g', undefined],
  ['/a%%', undefined],
  [`/${'a'.repeat(9000)}/../b`, '/b'],
]
for (const [target, result] of targets) {
  test(`normalizes ${target.slice(0, 40)}`, () => assert.equal(normalized(target), result))
}

test('keeps runs of slashes when asked', () => {
  assert.equal(normalized('/a//b', false), '/a//b')
  assert.equal(normalized('//a/../b', false), '//b')
  assert.equal(normalized('/a//../b', false), '/a/b')
  assert.equal(normalized('/%2f/a', false), '///a')
})

test('gives back the same string when there is nothing to do', () => {
  const parts = { uri: '', args: 'x' }
  const target = `/${'abc'.repeat(10)}`
  assert.equal(normalizeUri(target, true, parts), true)
  assert.deepEqual(parts, { uri: target, args: '' })
})

test('gives the extension of the last segment', () => {
  for (const [uri, extension] of [
    ['/a.b', 'b'],
    ['/a.b.c', 'c'],
    ['/a.b/c', ''],
    ['/a/.b', ''],
    ['/.b', ''],
    ['/a.', ''],
    ['/', ''],
    ['', ''],
  ] as const) {
    assert.equal(uriExtension(uri), extension, uri)
  }
})

const ASCII = Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i)).join('')
/** The visible bytes that each kind escapes, spelled out from nginx's bitmaps. */
const escapedBytes: Record<EscapeKind, string> = {
  uri: ' "#%<>?\\^`{|}',
  args: ' "#%&+;<>?\\^`{|}',
  'uri-component': ' !"#$%&\'()*+,/:;<=>?@[\\]^`{|}',
  html: ' "#%\'<>\\^`{|}',
  refresh: ' "\'<>\\^`{|~',
  memcached: ' %',
  'mail-auth': ' %',
  'mail-xtext': ' +=',
}
for (const [kind, expected] of Object.entries(escapedBytes) as [EscapeKind, string][]) {
  test(`escapes for ${kind}`, () => {
    assert.equal([...ASCII].filter((byte) => escapeUri(byte, kind) !== byte).join(''), expected)
    const high = !kind.startsWith('mem') && kind !== 'mail-auth'
    for (const byte of ['\0', '\x1f', '\x7f', '\x80', '\xff']) {
      assert.equal(escapeUri(byte, kind) !== byte, high || byte < ' ', `${kind} ${byte.charCodeAt(0)}`)
    }
  })
}

test('writes escapes with two upper-case digits', () => {
  assert.equal(escapeUri('/a b\x01\xfe/', 'uri'), '/a%20b%01%FE/')
  assert.equal(escapeUri('a b=c', 'mail-xtext'), 'a+20b+3Dc')
  assert.equal(escapeUri('/plain', 'uri'), '/plain')
})

test('decodes, and drops what is malformed as nginx does', () => {
  assert.equal(unescapeUri('a%20b%2Fc%3f'), 'a b/c?')
  assert.equal(unescapeUri('a%zb%4zc%'), 'azbc')
  assert.equal(unescapeUri('a%4'), 'a')
  assert.equal(unescapeUri('a?%20'), 'a? ')
  assert.equal(unescapeUri('a%20?%20', 'uri'), 'a ?%20')
  assert.equal(unescapeUri('a%3f%20', 'uri'), 'a?%20')
  assert.equal(unescapeUri('%20%41%25%7f%e9?%41', 'redirect'), '%20A%25%7f%e9?%41')
})

test('escapes HTML', () => {
  assert.equal(escapeHtml(`<a href="x">&'`), `&lt;a href=&quot;x&quot;&gt;&amp;'`)
})

const hosts: [text: string, host: string | undefined, port: number][] = [
  ['a', 'a', 0],
  ['Example.COM', 'example.com', 0],
  ['a.b.:80', 'a.b', 80],
  ['a.', 'a', 0],
  ['a:', 'a', 0],
  ['.a', '.a', 0],
  ['a_b~%41', 'a_b~%41', 0],
  ['a:65535', 'a', 65535],
  ['[::1]', '[::1]', 0],
  ['[FE80::1]:8080', '[fe80::1]', 8080],
  ['', undefined, 0],
  ['.', undefined, 0],
  [':80', undefined, 0],
  ['a:65536', undefined, 0],
  ['a:1:2', undefined, 0],
  ['a:1x', undefined, 0],
  ['a..b', undefined, 0],
  ['..', undefined, 0],
  ['a b', undefined, 0],
  ['a/b', undefined, 0],
  ['a\x00', undefined, 0],
  ['a@b', undefined, 0],
  ['a\xe9', undefined, 0],
  ['[::1', undefined, 0],
  ['[', undefined, 0],
  ['[::1]a', undefined, 0],
  ['[::1].', undefined, 0],
  ['[::1%a]', undefined, 0],
  ['a[::1]', undefined, 0],
]
for (const [text, host, port] of hosts) {
  test(`checks the host ${JSON.stringify(text)}`, () => {
    const parts = { host: '', port: 0 }
    assert.equal(validateHost(text, parts), host !== undefined)
    if (host !== undefined) assert.deepEqual(parts, { host, port })
  })
}
