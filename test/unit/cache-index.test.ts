/** The index of a cache: order of use, room, tags, rules of purging, and what a thread leaves that dies inside. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CacheKey } from '../../src/http/cache/cache-file.ts'
import { warnOfCopies } from '../../src/http/cache/caches.ts'
import { STATUS_HIT } from '../../src/http/cache/counters.ts'
import { statisticsOf } from '../../src/http/cache/statistics.ts'
import { CacheIndex, NO_LOCK } from '../../src/shared/cache/index.ts'
import { BLOCKS, DOOMED_COUNT, ENTRY_COUNT, FREE_COUNT, SIZE } from '../../src/shared/cache/layout.ts'
import { CACHE_ZONE_KIND } from '../../src/shared/cache/memory.ts'
import { applyRules, dropRules, RULE_EXPIRES, RULE_NOTHING, RULE_REMOVES } from '../../src/shared/cache/rules.ts'
import { tagHash, tagsOf } from '../../src/shared/cache/tags.ts'
import { Lock } from '../../src/shared/lock.ts'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'
import { lookUp, makeCache, pathOf, store } from './cache-maker.ts'

const NOW = 1_000_000
const MEGABYTE = 1 << 20

function make(size = ZONE_SIZE_MIN): CacheIndex {
  return new CacheIndex(Zone.create('z', size, CACHE_ZONE_KIND))
}

function add(index: CacheIndex, text: string, now = NOW, tags: readonly string[] = []): number {
  const entry = index.acquire(CacheKey.of(text), now, now + 600, 0)
  if (entry === 0) return 0
  index.stored(
    entry,
    text,
    { blocks: 8, bodyStart: 400, validSec: now + 60, tags: tags.map(tagHash) },
    index.lastPurge,
    NO_LOCK,
  )
  index.release(entry, -1, false)
  return entry
}

function has(index: CacheIndex, text: string): boolean {
  const entry = index.memory.find(CacheKey.of(text))
  return entry !== 0 && index.exists(entry)
}

function evictedHex(index: CacheIndex): string {
  const { k0, k1, k2, k3 } = index.evicted
  return Buffer.from(Int32Array.of(k0, k1, k2, k3).buffer).toString('hex')
}

test('8,000 keys to the megabyte', () => {
  const index = make(MEGABYTE)
  let count = 0
  while (add(index, `/${count}`) !== 0) count++
  assert.ok(count >= 8000, `${count} keys`)
  const ten = make(10 * MEGABYTE)
  assert.ok(ten.memory.cellCount >= 80_000, `${ten.memory.cellCount} cells`)
})

test('the entry that was not used for longest goes first, and not while it is used', () => {
  const index = make()
  for (const key of ['/a', '/b', '/c']) add(index, key)
  const used = index.acquire(CacheKey.of('/b'), NOW, NOW + 600, 0)
  add(index, '/a')
  for (const expected of ['/c', '/a']) {
    assert.equal(index.evict(NOW, NOW + 600, false), 1)
    assert.equal(evictedHex(index), CacheKey.of(expected).hex)
  }
  assert.equal(index.evict(NOW, NOW + 600, false), -1)
  index.release(used, -1, false)
  assert.equal(index.evict(NOW, NOW + 600, false), 1)
  assert.equal(index.evict(NOW, NOW + 600, false), -1)
  assert.equal(index.words[ENTRY_COUNT], 0)
  assert.equal(index.memory.float(SIZE), 0)
})

test('only what is inactive expires', () => {
  const index = make()
  add(index, '/old', NOW - 601)
  add(index, '/new', NOW)
  assert.equal(index.evict(NOW, NOW + 600, true), 1)
  assert.equal(evictedHex(index), CacheKey.of('/old').hex)
  assert.equal(index.evict(NOW, NOW + 600, true), -1)
})

test('generations differ with whatever is stored, also when a cell is used again', () => {
  const index = make()
  const entry = add(index, '/a')
  const first = index.generationOf(entry)
  add(index, '/a')
  const second = index.generationOf(entry)
  index.evict(NOW, NOW + 600, false)
  assert.equal(index.generationOf(entry), 0)
  const again = add(index, '/b')
  assert.equal(again, entry)
  assert.equal(new Set([first, second, index.generationOf(again)]).size, 3)
})

test('an entry has tags, more than stand in it, and loses them with its object', () => {
  const index = make()
  const free = index.words[FREE_COUNT]!
  const tags = Array.from({ length: 20 }, (_, n) => `tag-${n}`)
  const entry = add(index, '/a', NOW, tags)
  add(index, '/b', NOW, ['tag-3'])
  assert.deepEqual(new Set(tagsOf(index.memory, entry)), new Set(tags.map(tagHash)))
  assert.equal(index.purgeTag(tagHash('tag-3'), false, NOW), 2)
  assert.equal(has(index, '/a') || has(index, '/b'), false)
  // Two entries are left, whose files are to be deleted.
  assert.equal(index.words[FREE_COUNT], free - 2)
  assert.equal(index.words[DOOMED_COUNT], 2)
})

test('with more tags than are known, or no room for them, an entry is purged with every tag', () => {
  const index = make()
  const many = Array.from({ length: 100 }, (_, n) => `tag-${n}`)
  add(index, '/many', NOW, many)
  add(index, '/one', NOW, ['one', 'one'])
  assert.equal(index.purgeTag(tagHash('one'), false, NOW), 2)
  let count = 0
  while (add(index, `/${count}`, NOW) !== 0) count++
  // The last cells are those of entries; tags beyond the first two have none.
  add(index, '/0', NOW, many.slice(0, 5))
  assert.equal(index.purgeTag(tagHash('tag-4'), true, NOW), 1)
})

test('very many entries with one tag are purged in steps', () => {
  const index = make(MEGABYTE)
  for (let n = 0; n < 5000; n++) add(index, `/${n}`, NOW, ['t'])
  assert.equal(index.purgeTag(tagHash('t'), true, NOW), 5000)
  assert.equal(index.purgeTag(tagHash('t'), false, NOW), 5000)
  assert.equal(index.purgeTag(tagHash('t'), false, NOW), 0)
})

test('a key is purged with its variants; what others have stays', () => {
  const index = make()
  add(index, '/other')
  add(index, '/main')
  const main = index.acquire(CacheKey.of('/main'), NOW, NOW + 600, 0)
  for (const variant of ['v1', 'v2']) {
    const entry = index.acquire(CacheKey.of(variant), NOW, NOW + 600, main)
    index.stored(entry, '/main', { blocks: 8, bodyStart: 400, validSec: NOW, tags: [] }, index.lastPurge, NO_LOCK)
    index.release(entry, -1, false)
  }
  index.release(main, -1, false)
  const files: { k0: number }[] = []
  index.purgeKey(CacheKey.of('/main'), false, NOW, files as never)
  assert.equal(files.length, 3)
  assert.deepEqual(
    [has(index, '/main'), has(index, 'v1'), has(index, 'v2'), has(index, '/other')],
    [false, false, false, true],
  )
  assert.equal(index.words[ENTRY_COUNT], 1)
})

test('what was fetched before a purge is not stored after it', () => {
  const index = make()
  const facts = { blocks: 8, bodyStart: 400, validSec: NOW, tags: [tagHash('t')] }
  const purges = [
    () => index.purgeKey(CacheKey.of('/a'), false, NOW, []),
    () => index.purgePrefix('/', false),
    () => index.purgeTag(tagHash('t'), false, NOW),
  ]
  for (const purge of purges) {
    const since = index.lastPurge
    const entry = index.acquire(CacheKey.of('/a'), NOW, NOW + 600, 0)
    purge()
    assert.equal(index.stored(entry, '/a', facts, since, NO_LOCK), false)
    assert.equal(index.stored(entry, '/a', facts, index.lastPurge, NO_LOCK), true)
    index.release(entry, -1, false)
  }
  const since = index.lastPurge
  const entry = index.acquire(CacheKey.of('/a'), NOW, NOW + 600, 0)
  index.purgeKey(CacheKey.of('/b'), false, NOW, [])
  index.purgePrefix('/other', false)
  index.purgeTag(tagHash('u'), false, NOW)
  assert.equal(index.stored(entry, '/a', facts, since, NO_LOCK), true)
})

test('rules hold against keys until they are dropped', () => {
  const index = make()
  const free = index.words[FREE_COUNT]!
  const long = '/long/' + 'x'.repeat(500)
  index.purgePrefix('/soft/', true)
  index.purgePrefix(long, false)
  const last = index.lastPurge
  const ruled = (key: string): number => applyRules(index.memory, 0, key, [])
  assert.equal(ruled('/soft/a'), RULE_EXPIRES)
  assert.equal(ruled('/soft'), RULE_NOTHING)
  assert.equal(ruled(long + 'y'), RULE_REMOVES)
  assert.equal(ruled(long.slice(0, -1)), RULE_NOTHING)
  index.purgePrefix('', false)
  assert.equal(ruled('/any'), RULE_REMOVES)
  assert.equal(applyRules(index.memory, index.lastPurge, '/any', []), RULE_NOTHING)
  dropRules(index.memory, last)
  assert.equal(applyRules(index.memory, 0, '/soft/a', []), RULE_REMOVES)
  dropRules(index.memory, index.lastPurge)
  assert.equal(ruled('/any'), RULE_NOTHING)
  assert.equal(index.words[FREE_COUNT], free)
})

test('a zone without room says so, and is whole again when something goes', () => {
  const index = make()
  let count = 0
  while (add(index, `/${count}`, NOW, ['a', 'b', 'c']) !== 0) count++
  assert.equal(index.words[FREE_COUNT], 0)
  index.evict(NOW, NOW + 600, false)
  assert.notEqual(add(index, '/again'), 0)
})

test('what a thread leaves that dies inside is put in order', () => {
  const index = make()
  for (let n = 0; n < 50; n++) add(index, `/${n}`, NOW + n, [`t${n % 5}`, 'all', 'more', 'and more'])
  const size = index.memory.float(SIZE)
  const free = index.words[FREE_COUNT]!
  index.purgePrefix('/rule', false)
  // Another thread enters, breaks what it can, and is gone.
  new Lock(index.words, 4, 77).enter()
  index.words.fill(0, 256, 300)
  index.words[22] = index.words[23] = index.words[20] = 0
  index.memory.setFloat(SIZE, 5)
  new Lock(index.words, 4).release(77)
  index.memory.enter()
  index.memory.leave()
  assert.equal(index.memory.float(SIZE), size)
  assert.equal(index.words[FREE_COUNT], free - 1)
  assert.equal(index.words[ENTRY_COUNT], 50)
  assert.equal(applyRules(index.memory, 0, '/rule/x', []), RULE_REMOVES)
  assert.equal(index.purgeTag(tagHash('t3'), true, NOW), 10)
  for (let n = 0; n < 3; n++) {
    assert.equal(index.evict(NOW, NOW + 600, false), 1)
    assert.equal(evictedHex(index), CacheKey.of(`/${n}`).hex)
  }
})

test('who dies between the size of an object and the object itself leaves neither', () => {
  const index = make()
  const entry = index.acquire(CacheKey.of('/new'), NOW, NOW + 600, 0)
  new Lock(index.words, 4, 77).enter()
  index.words[entry + BLOCKS] = 16
  index.memory.setFloat(SIZE, 16 * 512)
  new Lock(index.words, 4).release(77)
  add(index, '/new')
  assert.equal(index.memory.float(SIZE), 8 * 512)
})

test('responses are counted, with their bytes', () => {
  const made = makeCache()
  made.cache.counters.count(STATUS_HIT, 5_000_000_000)
  made.second().cache.counters.count(STATUS_HIT, 1)
  store(made, '/a', 'x')
  made.cache.purgeKey('/a', false, { logError: () => {} })
  store(made, '/b', 'x', { tags: ['1', '2', '3'] })
  const statistics = statisticsOf(made.room)
  assert.deepEqual(statistics.hit, { responses: 2, bytes: 5_000_000_001 })
  assert.deepEqual(statistics.miss, { responses: 0, bytes: 0, written: { responses: 0, bytes: 0 } })
  assert.deepEqual(
    [statistics.stored, statistics.removed.purged, statistics.entries, statistics.zone.used],
    [2, 1, 1, 2],
  )
  assert.deepEqual([statistics.size, statistics.reserved, statistics.cold], [4096, 0, false])
})

test('a temporary folder on another file system is warned of', () => {
  const warnings: string[] = []
  const tree = { role: 'master', checked: false, warn: (message: string) => warnings.push(message) } as const
  warnOfCopies(tree, pathOf('/proc/sys', { useTempPath: true }), '/no/such/folder')
  warnOfCopies(tree, pathOf('/no/such', { useTempPath: true }), '/no/other/folder')
  warnOfCopies(tree, pathOf('/proc/sys', { useTempPath: false }), '/tmp')
  assert.deepEqual(warnings, [
    '"/no/such/folder" and cache path "/proc/sys" are on different file systems: use "use_temp_path=off"',
  ])
})

test('a response larger than the cache passes by', () => {
  const made = makeCache({ maxSize: 100_000 })
  assert.equal(store(made, '/large', 'x'.repeat(200_000)), false)
  assert.match(made.lines[0]!, /^response is not cached in "one": it is larger than "max_size"$/)
  for (let n = 0; n < 10; n++) assert.equal(store(made, `/${n}`, 'x'.repeat(20_000)), true)
  assert.ok(made.room.index.memory.float(SIZE) <= 100_000)
  assert.equal(lookUp(made, '/9')[1].length, 20_000)
  assert.equal(lookUp(made, '/0')[1].length, 0)
})
