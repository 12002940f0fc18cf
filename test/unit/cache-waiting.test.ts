/** Who waits for another's fetch is woken: when the object is there, when it can be followed, when it is not cacheable. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CACHE_BUSY,
  CACHE_HIT,
  CACHE_MISS,
  CACHE_SCARCE,
  CACHE_STALE,
  CACHE_UPDATING,
  type CacheUse,
  type CacheWaiter,
  WAKE_CHANGED,
  WAKE_GROWING,
  WAKE_PASS,
  WAKE_TIMEOUT,
} from '../../src/http/cache/cache-use.ts'
import type { GrowingBody } from '../../src/http/cache/growing-body.ts'
import { clock } from '../../src/lib/clock.ts'
import { until } from '../harness/wait.ts'
import { begin, LOCKED, lookUp, makeCache, meta, store, type TestCache, use } from './cache-maker.ts'

/** Waits once; resolves with the reason. */
function wakeOf(used: CacheUse): Promise<number> {
  return new Promise((resolve, reject) => {
    const waiter: CacheWaiter = { onCacheWake: resolve }
    if (!used.wait(waiter)) reject(new Error('nothing to wait for'))
  })
}

function fetching(made: TestCache): CacheUse {
  const first = use(made, '/a')
  assert.equal(first.open(LOCKED), CACHE_MISS)
  return first
}

function waiting(made: TestCache): CacheUse {
  const second = use(made, '/a')
  assert.equal(second.open(LOCKED), CACHE_BUSY)
  return second
}

function readAll(body: GrowingBody): string {
  const bytes = Buffer.alloc(100)
  const count = body.read(bytes, bytes.length, 0)
  return bytes.latin1Slice(0, Number(count))
}

test('a waiter of another view is woken when the head is there, and follows the body to its end', async () => {
  const made = makeCache()
  const first = fetching(made)
  const second = waiting(made.second())
  const woken = wakeOf(second)
  assert.equal(begin(made, first, { etag: '"e"' }, 6), true)
  assert.equal(await woken, WAKE_GROWING)
  assert.equal(second.follow(), CACHE_HIT)
  const { growing, etag, length } = second.object!
  assert.deepEqual([etag, length, growing!.available], ['"e"', 6, 0])
  const grown = new Promise<void>((resolve) => {
    growing!.listener = { onGrowth: () => growing!.available === 3 && resolve() }
  })
  first.append(Buffer.from('abc'), 0, 3)
  await grown
  assert.equal(readAll(growing!), 'abc')
  const ended = new Promise<void>((resolve) => {
    growing!.listener = { onGrowth: () => growing!.ended && resolve() }
  })
  first.append(Buffer.from('def'), 0, 3)
  assert.equal(first.complete(), true)
  first.release()
  await ended
  assert.equal(readAll(growing!), 'abcdef')
  assert.equal(growing!.whole, true)
  second.release()
  assert.deepEqual(lookUp(made, '/a'), [CACHE_HIT, 'abcdef'])
})

test('who does not want to follow is woken when the object is there', async () => {
  const made = makeCache()
  const first = fetching(made)
  const second = waiting(made)
  let woken = wakeOf(second)
  begin(made, first)
  assert.equal(await woken, WAKE_GROWING)
  woken = wakeOf(second)
  first.append(Buffer.from('abc'), 0, 3)
  first.complete()
  first.release()
  assert.equal(await woken, WAKE_CHANGED)
  assert.equal(second.open(LOCKED), CACHE_HIT)
  second.release()
})

test('followers of what fails are told that it is broken, and the next fetches', async () => {
  const made = makeCache()
  const first = fetching(made)
  const second = waiting(made)
  const woken = wakeOf(second)
  begin(made, first)
  await woken
  second.follow()
  const { growing } = second.object!
  const ended = new Promise<void>((resolve) => {
    growing!.listener = { onGrowth: () => growing!.ended && resolve() }
  })
  first.release()
  await ended
  assert.equal(growing!.broken, true)
  assert.equal(second.open(LOCKED), CACHE_MISS)
  second.release()
})

test('what is not cacheable releases all who wait, and is remembered', async () => {
  const made = makeCache()
  const first = fetching(made)
  const others = [waiting(made), waiting(made), waiting(made.second())]
  const woken = others.map(wakeOf)
  first.uncacheable(5)
  first.release()
  assert.deepEqual(await Promise.all(woken), [WAKE_PASS, WAKE_PASS, WAKE_PASS])
  for (const other of others) {
    assert.equal(other.open(LOCKED), CACHE_MISS)
    assert.equal(other.updating, false)
    other.release()
  }
})

test('waiting has an end', async () => {
  const made = makeCache()
  const first = fetching(made)
  const second = use(made, '/a')
  const short = { ...LOCKED, lockTimeoutMs: 30 }
  assert.equal(second.open(short), CACHE_BUSY)
  assert.equal(await wakeOf(second), WAKE_TIMEOUT)
  assert.deepEqual(made.lines, ['cache lock timeout'])
  assert.equal(second.open(short), CACHE_SCARCE)
  second.release()
  first.release()
})

test('a lock that is too old is taken over', async () => {
  const made = makeCache()
  const first = use(made, '/a')
  assert.equal(first.open({ ...LOCKED, lockAgeMs: 30 }), CACHE_MISS)
  const second = waiting(made)
  assert.equal(await wakeOf(second), WAKE_CHANGED)
  assert.equal(second.open(LOCKED), CACHE_MISS)
  first.release()
  assert.equal(waitingFor(made), true)
  second.release()
})

function waitingFor(made: TestCache): boolean {
  const used = use(made, '/a')
  const busy = used.open(LOCKED) === CACHE_BUSY
  used.release()
  return busy
}

test('a refresh is waited for as well', async () => {
  const made = makeCache()
  store(made, '/a', 'old', { validSec: clock.seconds - 1 })
  const [first, second] = [use(made, '/a'), use(made, '/a')]
  first.open(LOCKED)
  assert.equal(second.open(LOCKED), CACHE_UPDATING)
  const woken = wakeOf(second)
  first.refresh(meta())
  first.release()
  assert.equal(await woken, WAKE_CHANGED)
  assert.equal(second.open(LOCKED), CACHE_HIT)
  second.release()
})

test('who leaves is not woken', async () => {
  const made = makeCache()
  const first = fetching(made)
  const second = waiting(made)
  let woken = false
  second.wait({ onCacheWake: () => (woken = true) })
  second.release()
  first.release()
  await sleep(20)
  assert.equal(woken, false)
  assert.equal(made.room.waiting.count, 0)
})

test('what is not offered is not followed, but waited for', async () => {
  const made = makeCache()
  const first = fetching(made)
  const second = waiting(made)
  let woken = 0
  second.wait({ onCacheWake: (reason) => (woken = reason) })
  first.begin(meta(), Buffer.from('head'), -1, { path: made.temp, levels: [] }, false)
  first.append(Buffer.from('abc'), 0, 3)
  await sleep(20)
  assert.equal(woken, 0)
  first.complete()
  first.release()
  await until('the wake', () => woken === WAKE_CHANGED)
  assert.equal(second.open(LOCKED), CACHE_HIT)
  second.release()
})

test('what was cacheable once and is not any more: nobody waits for a refresh', async () => {
  const made = makeCache()
  store(made, '/a', 'old', { validSec: clock.seconds - 1 })
  const [first, second, third] = [use(made, '/a'), use(made, '/a'), use(made, '/a')]
  first.open(LOCKED)
  assert.equal(second.open(LOCKED), CACHE_UPDATING)
  const woken = wakeOf(second)
  first.uncacheable(5)
  first.release()
  assert.equal(await woken, WAKE_PASS)
  // One may try to refresh; the others go on by themselves.
  assert.equal(second.open(LOCKED), CACHE_STALE)
  assert.equal(third.open(LOCKED), CACHE_UPDATING)
  assert.equal(third.wait({ onCacheWake: () => assert.fail('it does not wait') }), false)
  assert.equal(third.timedOut, true)
  second.release()
  third.release()
})
