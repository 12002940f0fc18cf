/** Purging: by key with all variants, by prefix, by tag; what expires stays usable, and nothing purged comes back. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { CACHE_HIT, CACHE_MISS, CACHE_STALE } from '../../src/http/cache/cache-use.ts'
import { clock } from '../../src/lib/clock.ts'
import { COLD, LOADING } from '../../src/shared/cache/layout.ts'
import { lookUp, makeCache, meta, NO_VARY, OPEN, store, type TestCache, use } from './cache-maker.ts'

const LOG = { logError: () => {} }
const VARY = { vary: 'accept-encoding' }
const GZIP = { 'accept-encoding': 'gzip' }
const PLAIN = { 'accept-encoding': '' }

function verdict(made: TestCache, key: string, values = {}): number {
  return lookUp(made, key, values)[0]
}

function fileCount(made: TestCache): number {
  return readdirSync(made.folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).length
}

test('a key goes with all its variants, in every thread', () => {
  const made = makeCache({ memory: 1 << 20 })
  const other = made.second()
  store(made, '/v', 'zip', VARY, GZIP)
  store(made, '/v', 'plain', VARY, PLAIN)
  store(made, '/w', 'stays')
  assert.deepEqual([verdict(other, '/v', GZIP), verdict(other, '/v', PLAIN)], [CACHE_HIT, CACHE_HIT])
  assert.equal(made.cache.purgeKey('/v', false, LOG), 2)
  assert.deepEqual([verdict(other, '/v', GZIP), verdict(other, '/v', PLAIN)], [CACHE_MISS, CACHE_MISS])
  assert.equal(verdict(other, '/w'), CACHE_HIT)
  assert.equal(fileCount(made), 1)
  assert.equal(made.cache.purgeKey('/v', false, LOG), 0)
})

test('softly purged it is stale, also for a thread that has it in memory, until it is refreshed', () => {
  const made = makeCache({ memory: 1 << 20 })
  const other = made.second()
  store(made, '/a', 'body', { updatingSec: 100 })
  verdict(other, '/a')
  assert.notEqual(other.cache.recall('/a', NO_VARY), undefined)
  assert.equal(made.cache.purgeKey('/a', true, LOG), 1)
  assert.equal(other.cache.recall('/a', NO_VARY), undefined)
  const used = use(other, '/a')
  assert.equal(used.open(OPEN), CACHE_STALE)
  assert.equal(used.staleUpdating, true)
  used.release()
  store(made, '/a', 'new')
  assert.deepEqual(lookUp(other, '/a'), [CACHE_HIT, 'new'])
})

for (const soft of [false, true]) {
  test(`a prefix is purged at once${soft ? ', softly' : ''}, and what is stored later is not`, () => {
    const made = makeCache({ memory: 1 << 20 })
    for (const key of ['/p/1', '/p/2', '/q']) store(made, key, key)
    verdict(made, '/p/2')
    assert.equal(made.cache.purgePrefix('/p/', soft), true)
    const gone = soft ? CACHE_STALE : CACHE_MISS
    assert.equal(made.cache.recall('/p/2', NO_VARY), undefined)
    assert.deepEqual([verdict(made, '/p/1'), verdict(made, '/p/2'), verdict(made, '/q')], [gone, gone, CACHE_HIT])
    store(made, '/p/1', 'again')
    assert.deepEqual(lookUp(made, '/p/1'), [CACHE_HIT, 'again'])
    assert.equal(existsSync(made.cache.fileName('/p/2')), soft)
  })

  test(`a tag is purged${soft ? ' softly' : ''}`, () => {
    const made = makeCache({ memory: 1 << 20 })
    for (const key of ['/1', '/2', '/3']) store(made, key, key, { tags: key === '/3' ? ['x'] : ['x', 'y'] })
    verdict(made, '/1')
    assert.equal(made.cache.purgeTag('y', soft), 2)
    assert.equal(made.cache.purgeTag('z', soft), 0)
    const gone = soft ? CACHE_STALE : CACHE_MISS
    assert.deepEqual([verdict(made, '/1'), verdict(made, '/2'), verdict(made, '/3')], [gone, gone, CACHE_HIT])
    store(made, '/1', 'again')
    assert.deepEqual(lookUp(made, '/1'), [CACHE_HIT, 'again'])
  })
}

test('what nobody knows yet is purged with the rest', () => {
  const made = makeCache()
  store(made, '/key', 'a')
  store(made, '/v', 'zip', VARY, GZIP)
  store(made, '/v', 'plain', VARY, PLAIN)
  store(made, '/prefix/1', 'b')
  store(made, '/stays', 'c')
  // Another zone over the same files, as after a restart.
  const cold = makeCache({ path: made.cache.path.path })
  cold.zone.words[LOADING] = COLD
  assert.equal(cold.cache.purgeKey('/key', false, LOG), 1)
  assert.equal(cold.cache.purgeKey('/v', false, LOG), 1)
  cold.cache.purgePrefix('/prefix/', false)
  assert.deepEqual(
    [verdict(cold, '/key'), verdict(cold, '/prefix/1'), verdict(cold, '/stays')],
    [CACHE_MISS, CACHE_MISS, CACHE_HIT],
  )
  // The main file leads to the variant: when it is there again, the old one must not be.
  store(cold, '/v', 'new', VARY, GZIP)
  assert.equal(verdict(cold, '/v', PLAIN), CACHE_MISS)
  assert.equal(verdict(cold, '/v', GZIP), CACHE_HIT)
})

test('tags are read from heads when nobody knows them', () => {
  const made = makeCache()
  const used = use(made, '/a')
  used.open(OPEN)
  const head = Buffer.from('HTTP/1.1 200 OK\r\nSurrogate-Key: one two\r\nCache-Tag: three, four\r\n\r\n')
  used.begin({ ...META, validSec: Math.floor(Date.now() / 1000) + 60 }, head, 0, { path: made.temp, levels: [] })
  used.complete()
  used.release()
  const cold = makeCache({ path: made.cache.path.path })
  cold.zone.words[LOADING] = COLD
  assert.equal(verdict(cold, '/a'), CACHE_HIT)
  assert.equal(cold.cache.purgeTag('three', false), 1)
  assert.equal(verdict(cold, '/a'), CACHE_MISS)
})
const META = { validMsec: 0, updatingSec: 0, errorSec: 0, lastModified: -1, date: 0, etag: '', vary: '', tags: [] }

test('a refresh that was begun before a purge does not make it undone', () => {
  const purges: readonly ((made: TestCache) => void)[] = [
    (made) => made.cache.purgeKey('/a', true, LOG),
    (made) => made.cache.purgePrefix('/', true),
    (made) => made.cache.purgeTag('x', true),
  ]
  for (const purge of purges) {
    const made = makeCache()
    store(made, '/a', 'x', { tags: ['x'], validSec: clock.seconds - 1 })
    const used = use(made, '/a')
    assert.equal(used.open(OPEN), CACHE_STALE)
    purge(made)
    used.refresh(meta())
    used.release()
    assert.equal(verdict(made, '/a'), CACHE_STALE)
    const again = use(made, '/a')
    assert.equal(again.open(OPEN), CACHE_STALE)
    again.refresh(meta())
    again.release()
    assert.equal(verdict(made, '/a'), CACHE_HIT)
  }
})
