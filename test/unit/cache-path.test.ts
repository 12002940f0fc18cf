/** `*_cache_path`: what is wrong with its parameters, and with several of them, in nginx's words. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { problemsOf } from '../harness/problems.ts'

const folder = mkdtempSync(join(tmpdir(), 'viaduct-path-'))
after(() => rmSync(folder, { recursive: true }))

function problems(...lines: readonly string[]): string[] {
  const conf = `events {} http { ${lines.map((line) => `${line};`).join(' ')} }`
  return problemsOf(folder, conf).map(({ level, message }) => `${level}: ${message}`)
}

const PARAMETERS: readonly (readonly [string, string])[] = [
  ['/x keys_zone=one', 'invalid keys zone size "keys_zone=one"'],
  ['/x keys_zone=one:4k', 'keys zone "keys_zone=one:4k" is too small'],
  ['/x keys_zone=:4m', '"proxy_cache_path" must have "keys_zone" parameter'],
  ['/x inactive=1m levels=1', '"proxy_cache_path" must have "keys_zone" parameter'],
  ['/x levels=3 keys_zone=one:1m', 'invalid "levels" "levels=3"'],
  ['/x levels=1:2:2:1 keys_zone=one:1m', 'invalid "levels" "levels=1:2:2:1"'],
  ['/x levels=1: keys_zone=one:1m', 'invalid "levels" "levels=1:"'],
  [
    '/x use_temp_path=yes keys_zone=one:1m',
    'invalid use_temp_path value "use_temp_path=yes", it must be "on" or "off"',
  ],
  ['/x inactive=1x keys_zone=one:1m', 'invalid inactive value "inactive=1x"'],
  ['/x max_size=x keys_zone=one:1m', 'invalid max_size value "max_size=x"'],
  ['/x min_free=x keys_zone=one:1m', 'invalid min_free value "min_free=x"'],
  ['/x memory=x keys_zone=one:1m', 'invalid memory value "memory=x"'],
  ['/x loader_files=x keys_zone=one:1m', 'invalid loader_files value "loader_files=x"'],
  ['/x loader_sleep=x keys_zone=one:1m', 'invalid loader_sleep value "loader_sleep=x"'],
  ['/x manager_threshold=x keys_zone=one:1m', 'invalid manager_threshold value "manager_threshold=x"'],
  ['/x purger=x keys_zone=one:1m', 'invalid purger value "purger=x", it must be "on" or "off"'],
  ['/x foo keys_zone=one:1m', 'invalid parameter "foo"'],
  ['keys_zone=one:1m', 'invalid number of arguments in "proxy_cache_path" directive'],
]

for (const [parameters, message] of PARAMETERS) {
  test(`proxy_cache_path ${parameters}`, () => {
    assert.deepEqual(problems(`proxy_cache_path ${parameters}`), [`emerg: ${message}`])
  })
}

test('good ones', () => {
  for (const levels of ['', 'levels=', 'levels=1', 'levels=2:2:1']) {
    assert.deepEqual(problems(`proxy_cache_path cache ${levels} keys_zone=one:8k max_size=1g inactive=1y`), [])
  }
})

test('a zone is one cache', () => {
  const one = 'proxy_cache_path /x keys_zone=one:1m'
  assert.deepEqual(problems(one, 'proxy_cache_path /y keys_zone=one:1m'), ['emerg: duplicate zone "one"'])
  const conflict = 'the size 2097152 of shared memory zone "one" conflicts with already declared size 1048576'
  assert.deepEqual(problems(one, 'proxy_cache_path /y keys_zone=one:2m'), [`emerg: ${conflict}`])
  const used = 'the shared memory zone "one" is already declared for a different use'
  assert.deepEqual(problems('limit_req_zone $uri zone=one:1m rate=1r/s', one), [`emerg: ${used}`])
})

test('a folder is one cache', () => {
  const one = 'proxy_cache_path /x keys_zone=one:1m'
  const same = `the same path name "/x" used in ${folder}/nginx.conf:1 and`
  assert.deepEqual(problems(one, 'proxy_cache_path /x keys_zone=two:1m'), [`emerg: ${same}`])
  // nginx does not notice.
  assert.deepEqual(problems(one, 'proxy_cache_path /x/ keys_zone=two:1m'), [`warn: ${same}`])
})
