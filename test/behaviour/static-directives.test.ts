/** The directives of file serving and response filters are refused with nginx's words. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prefix } from '../harness/server.ts'

/** A line of an http block, and what is said about it. */
const CASES: readonly (readonly [string, string])[] = [
  ['gzip_comp_level 10;', 'value must be between 1 and 9'],
  ['gzip_window 3k;', '"gzip_window" directive must be 512, 1k, 2k, 4k, 8k, 16k, or 32k'],
  ['gzip_hash 3k;', '"gzip_hash" directive must be 512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k'],
  ['gzip_disable "((";', 'missing closing parenthesis'],
  ['gzip_types a/b a/b;', '[warn] duplicate MIME type "a/b"'],
  ['limit_rate fast;', '"limit_rate" directive invalid value'],
  ['expires soon;', '"expires" directive invalid value'],
  ['expires modified @1h;', '"expires" directive daily time cannot be used with "modified" parameter'],
  ['expires @25h;', '"expires" directive daily time value must be less than 24 hours'],
  ['add_header A B never;', 'invalid parameter "never"'],
  ['open_file_cache inactive=1s;', '"open_file_cache" must have the "max" parameter'],
  ['open_file_cache max=0;', 'invalid "open_file_cache" parameter "max=0"'],
  ['disable_symlinks from=/x;', '"disable_symlinks" must have "off", "on" or "if_not_owner" parameter'],
  ['disable_symlinks off from=/x;', '"from=" cannot be used with "off" parameter'],
  ['disable_symlinks on off;', 'duplicate parameters "on off"'],
  ['index /a b;', '[warn] only the last index in "index" directive should be absolute'],
]

test('mistakes are told in the words of nginx', async () => {
  // Each in a server of its own, so that none is a duplicate of another.
  const lines = CASES.map(([line]) => `server { ${line} }`)
  await using prefix = await Prefix.create(`events {} http {\n${lines.join('\n')}\n}`)
  const { stderr, code } = await prefix.run(['-t'])
  assert.equal(code, 1)
  const told = stderr.split('\n')
  CASES.forEach(([line, message], i) => {
    const found = told.some((text) => text.includes(message) && text.endsWith(`nginx.conf:${i + 2}`))
    assert.ok(found, `${line}\n${stderr}`)
  })
})

const MAPS: readonly (readonly [string, string])[] = [
  ['charset_map utf-8 x { }', '"charset_map" with "utf-8" charset should be given in the second column'],
  ['charset_map a A { }', '"charset_map" between the same charsets "a" and "A"'],
  ['charset_map b c { zz 1; }', 'invalid value "zz"'],
  ['charset_map c d { 1 2 3; }', 'invalid parameters number'],
  ['charset_map d c { }', 'duplicate "charset_map" between "d" and "c"'],
  ['charset_map e utf-8 { 80 E2; }', 'invalid value "E2"'],
]

test('mistakes in tables of character sets', async () => {
  await using prefix = await Prefix.create(`events {} http {\n${MAPS.map(([line]) => line).join('\n')}\n}`)
  const { stderr, code } = await prefix.run(['-t'])
  assert.equal(code, 1)
  MAPS.forEach(([, message], i) => {
    assert.ok(stderr.includes(`${message} in ${prefix.path('nginx.conf')}:${i + 2}`), stderr)
  })
})
