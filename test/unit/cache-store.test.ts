/** The cache's store: what is stored is found, by whom, and who fetches it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  CACHE_BUSY,
  CACHE_ERROR,
  CACHE_HIT,
  CACHE_MISS,
  CACHE_SCARCE,
  CACHE_STALE,
  CACHE_UPDATING,
} from '../../src/http/cache/cache-use.ts'
import { clock } from '../../src/lib/clock.ts'
import { begin, HEAD, LOCKED, lookUp, makeCache, meta, NO_VARY, OPEN, passSeconds, store, use } from './cache-maker.ts'

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
}

test('a response is stored and read back', () => {
  const made = makeCache()
  assert.deepEqual(lookUp(made, '/a'), [CACHE_MISS, ''])
  assert.equal(store(made, '/a', 'body', { etag: '"x"', lastModified: 1000 }), true)
  const used = use(made, '/a')
  assert.equal(used.open(OPEN), CACHE_HIT)
  assert.equal(used.object!.head.toString(), HEAD)
  assert.equal(used.object!.entry!.content!.toString(), 'body')
  assert.deepEqual([used.object!.etag, used.object!.lastModified, used.object!.length], ['"x"', 1000, 4])
  used.release()
  const path = made.cache.fileName('/a')
  assert.match(path, /\/cache\/([0-9a-f])\/([0-9a-f]{2})\/[0-9a-f]{29}\2\1$/)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.match(readFileSync(path, 'latin1'), /\nKEY: \/a\nHTTP\/1\.1 200 OK\r\n/)
})

test('a large body is behind a descriptor, which is closed', () => {
  const made = makeCache({ memory: 1 << 20 })
  const body = 'x'.repeat(300_000)
  store(made, '/large', body)
  const before = readdirSync('/proc/self/fd').length
  const used = use(made, '/large')
  assert.equal(used.open(OPEN), CACHE_HIT)
  const { entry } = used.object!
  assert.equal(entry!.content, undefined)
  assert.equal(entry!.size, body.length)
  assert.ok(entry!.fd >= 0)
  used.release()
  assert.equal(readdirSync('/proc/self/fd').length, before)
})

test('what is stored in one thread is found in another, and in memory only as long as it is true', () => {
  const made = makeCache({ memory: 1 << 20 })
  const other = made.second()
  store(made, '/a', 'one')
  assert.deepEqual(lookUp(other, '/a'), [CACHE_HIT, 'one'])
  const object = other.cache.recall('/a', NO_VARY)
  assert.equal(object!.entry!.content!.toString(), 'one')
  assert.equal(other.cache.recall('/a', NO_VARY), object)
  store(made, '/a', 'two')
  assert.equal(other.cache.recall('/a', NO_VARY), undefined)
  assert.deepEqual(lookUp(other, '/a'), [CACHE_HIT, 'two'])
})

test('an expired response is refreshed by one, in place', () => {
  const made = makeCache({ memory: 1 << 20 })
  store(made, '/a', 'body', { validSec: clock.seconds - 1, updatingSec: 30 })
  const [first, second] = [use(made, '/a'), use(made, '/a')]
  assert.equal(first.open(OPEN), CACHE_STALE)
  assert.equal(second.open(OPEN), CACHE_UPDATING)
  assert.deepEqual([first.updating, second.updating], [true, false])
  assert.deepEqual([second.staleUpdating, second.staleError], [true, false])
  first.refresh(meta({ validSec: clock.seconds + 10 }))
  first.release()
  second.release()
  assert.deepEqual(lookUp(made, '/a'), [CACHE_HIT, 'body'])
})

test('with a lock one fetches and others are told so; the next may when it gives up', () => {
  const made = makeCache()
  const [first, second] = [use(made, '/a'), use(made, '/a')]
  assert.equal(first.open(LOCKED), CACHE_MISS)
  assert.equal(second.open(LOCKED), CACHE_BUSY)
  first.release()
  assert.equal(second.open(LOCKED), CACHE_MISS)
  second.release()
})

test('too few uses, remembered failures', () => {
  const made = makeCache()
  const twice = { ...OPEN, minUses: 2 }
  for (const verdict of [CACHE_SCARCE, CACHE_MISS]) {
    const used = use(made, '/scarce')
    assert.equal(used.open(twice), verdict)
    used.release()
  }
  const failed = use(made, '/failed')
  failed.open(OPEN)
  failed.remember(404, clock.seconds + 10)
  failed.release()
  const again = use(made, '/failed')
  assert.equal(again.open(OPEN), CACHE_ERROR)
  assert.equal(again.error, 404)
  again.release()
  passSeconds(11)
  clock.update()
  assert.deepEqual(lookUp(made, '/failed'), [CACHE_MISS, ''])
})

test('variants are found by what they vary by', () => {
  const made = makeCache({ memory: 1 << 20 })
  const gzip = { 'accept-encoding': 'gzip' }
  const plain = { 'accept-encoding': '' }
  store(made, '/v', 'zipped', { vary: 'Accept-Encoding' }, gzip)
  const used = use(made, '/v', plain)
  assert.equal(used.open(OPEN), CACHE_MISS)
  assert.equal(used.varyMiss, true)
  begin(made, used, { vary: 'Accept-Encoding' })
  used.append(Buffer.from('plain'), 0, 5)
  assert.equal(used.complete(), true)
  used.release()
  assert.deepEqual(lookUp(made, '/v', plain), [CACHE_HIT, 'plain'])
  assert.deepEqual(lookUp(made, '/v', gzip), [CACHE_HIT, 'zipped'])
  const recalled = made.cache.recall('/v', { varyValue: (name) => plain[name as 'accept-encoding'] ?? '' })
  assert.equal(recalled!.entry!.content!.toString(), 'plain')
  assert.equal(files(made.folder).length, 2)
})

test('half a response never has a final name', () => {
  const made = makeCache()
  const used = use(made, '/half')
  used.open(OPEN)
  begin(made, used, {}, 100)
  used.append(Buffer.from('abc'), 0, 3)
  assert.equal(files(made.folder).length, 1)
  used.release()
  assert.deepEqual(files(made.folder), [])
  assert.deepEqual(lookUp(made, '/half'), [CACHE_MISS, ''])
})

test('a file that is gone or broken is a miss and the index is healed', () => {
  const made = makeCache()
  store(made, '/gone', 'body')
  store(made, '/broken', 'body')
  unlinkSync(made.cache.fileName('/gone'))
  writeFileSync(made.cache.fileName('/broken'), 'x'.repeat(500))
  assert.deepEqual(lookUp(made, '/gone'), [CACHE_MISS, ''])
  assert.deepEqual(lookUp(made, '/broken'), [CACHE_MISS, ''])
  assert.equal(made.lines.length, 2)
  assert.match(made.lines[0]!, /^cache file ".*" is gone$/)
  assert.match(made.lines[1]!, /^cache file ".*" version mismatch$/)
  assert.deepEqual(lookUp(made, '/gone'), [CACHE_MISS, ''])
  assert.equal(made.lines.length, 2)
})

for (const size of [100, 1_000_000]) {
  test(`another head, with the old body of ${size} bytes`, () => {
    const made = makeCache({ memory: 1 << 20 })
    const body = 'abcdefghij'.repeat(size / 10)
    store(made, '/a', body, { validSec: clock.seconds - 1 })
    const used = use(made, '/a')
    assert.equal(used.open(OPEN), CACHE_STALE)
    const head = 'HTTP/1.1 200 OK\r\nX-New: field\r\nContent-Type: text/plain\r\n\r\n'
    assert.equal(used.refreshHead(meta(), Buffer.from(head), { path: made.temp, levels: [] }), true)
    assert.equal(used.object!.head.toString(), head)
    used.release()
    const again = use(made, '/a')
    assert.equal(again.open(OPEN), CACHE_HIT)
    assert.equal(again.object!.head.toString(), head)
    const { content, fd, base } = again.object!.entry!
    const bytes = content ?? Buffer.alloc(size)
    if (content === undefined) readSync(fd, bytes, 0, size, base)
    assert.equal(bytes.toString(), body)
    again.release()
  })
}

test('a body that is not as long as its head says is not used', () => {
  const made = makeCache()
  const head = (length: number): Buffer => Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nX: y\r\n\r\n`)
  for (const [key, length, body] of [
    ['/whole', 4, 'body'],
    ['/head', 4, ''],
    ['/short', 10, 'body'],
    ['/long', 1, 'body'],
  ] as const) {
    const used = use(made, key)
    used.open(OPEN)
    used.begin(meta(), head(length), -1, { path: made.temp, levels: [] })
    used.append(Buffer.from(body), 0, body.length)
    used.complete()
    used.release()
  }
  assert.deepEqual([lookUp(made, '/whole')[0], lookUp(made, '/head')[0]], [CACHE_HIT, CACHE_HIT])
  assert.deepEqual([lookUp(made, '/short')[0], lookUp(made, '/long')[0]], [CACHE_MISS, CACHE_MISS])
  assert.match(made.lines[0]!, /^cache file ".*" is cut off$/)
})
