/** One cache under several real threads: one fetches and all are woken, and a thread may die anywhere. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { CACHE_BUSY, CACHE_HIT, CACHE_MISS, CACHE_STALE, type CacheUse } from '../../src/http/cache/cache-use.ts'
import { clock } from '../../src/lib/clock.ts'
import * as at from '../../src/shared/cache/layout.ts'
import { CACHE_ZONE_KIND } from '../../src/shared/cache/memory.ts'
import { releaseThread } from '../../src/shared/dead-thread.ts'
import { HOLDINGS_SIZE, noteHoldingsIn } from '../../src/shared/holdings.ts'
import { Zone } from '../../src/shared/zone.ts'
import { begin, LOCKED, lookUp, makeCache, type TestCache, use, viewOf } from './cache-maker.ts'

const THREADS = 3

interface Job {
  readonly what: 'churn' | 'wait'
  readonly buffer: SharedArrayBuffer
  readonly holdings: SharedArrayBuffer
  readonly folder: string
}

function start(what: Job['what'], made: TestCache): { readonly worker: Worker; readonly holdings: SharedArrayBuffer } {
  const holdings = new SharedArrayBuffer(HOLDINGS_SIZE)
  const workerData: Job = { what, buffer: made.zone.buffer, holdings, folder: made.folder }
  const worker = new Worker(new URL(import.meta.url), { workerData })
  after(() => worker.terminate())
  return { worker, holdings }
}

/** All that must hold when nobody is in the middle of anything. */
function checkIndex(made: TestCache): void {
  const { memory } = made.room.index
  const { words } = memory
  memory.enter()
  let blocks = 0
  let entries = 0
  const seen = new Set<number>()
  for (let entry = words[at.OLDEST]!; entry !== 0; entry = words[entry + at.NEWER]!) {
    assert.equal(seen.has(entry), false)
    seen.add(entry)
    const [k0, k1, k2, k3] = words.subarray(entry + at.KEY, entry + at.KEY + 4)
    assert.equal(memory.find({ k0: k0!, k1: k1!, k2: k2!, k3: k3! }), entry)
    blocks += words[entry + at.BLOCKS]!
    entries++
  }
  assert.equal(words[at.ENTRY_COUNT], entries)
  assert.equal(memory.float(at.SIZE), blocks * 512)
  let free = 0
  for (let cell = words[at.FREE]!; cell !== 0; cell = words[cell + at.NEXT]!) free++
  assert.equal(words[at.FREE_COUNT], free + (words[at.CELLS_END]! - words[at.FRESH]!) / at.CELL_WORDS)
  memory.leave()
}

function checkNothingHeld(made: TestCache): void {
  const { words } = made.room.index
  for (let cell = words[at.CELLS_AT]!; cell < words[at.CELLS_END]!; cell += at.CELL_WORDS) {
    if (words[cell + at.KIND] === at.ENTRY) {
      assert.equal(words[cell + at.USERS], 0)
      assert.equal(words[cell + at.STATE]! & at.UPDATING, 0)
    }
    assert.notEqual(words[cell + at.KIND], at.FLIGHT)
  }
  assert.equal(made.room.index.memory.float(at.RESERVED), 0)
}

function dying(): void {
  test('threads killed at random leave an index that works, hold nothing, and no half responses', async () => {
    const made = makeCache({ maxSize: 400_000 })
    for (let round = 0; round < 5; round++) {
      const threads = Array.from({ length: THREADS }, () => start('churn', made))
      await Promise.all(threads.map(({ worker }) => once(worker, 'message')))
      for (let i = 0; i < 20; i++) churn(made, i)
      for (const { worker, holdings } of threads) {
        const { threadId } = worker
        await worker.terminate()
        releaseThread([made.zone.buffer], { threadId, holdings })
      }
      checkIndex(made)
      checkNothingHeld(made)
      let found = 0
      for (let n = 0; n < 60; n++) {
        const [verdict, body] = lookUp(made, `/${n}`)
        if (verdict !== CACHE_HIT) continue
        found++
        assert.equal(body, bodyOf(n))
      }
      assert.ok(found > 0)
    }
  })
}

function waking(): void {
  test('all threads wait for one, and each is told what to do', async () => {
    const made = makeCache()
    clock.update()
    const fetching = use(made, '/one')
    assert.equal(fetching.open(LOCKED), CACHE_MISS)
    const threads = Array.from({ length: THREADS }, () => start('wait', made))
    await Promise.all(threads.map(({ worker }) => once(worker, 'message')))
    const answers = threads.map(({ worker }) => once(worker, 'message'))
    begin(made, fetching, {}, 4)
    fetching.append(Buffer.from('body'), 0, 4)
    fetching.complete()
    fetching.release()
    for (const [answer] of await Promise.all(answers)) assert.deepEqual(answer, { follows: true, body: 'body' })
    for (const { worker } of threads) await worker.terminate()
  })
}

function bodyOf(n: number): string {
  return `${n} `.repeat(1000 + n * 50)
}

/** One thing that a request may do, chosen by `i`. */
function churn(made: TestCache, i: number): void {
  const n = (i * 7) % 60
  const used = use(made, `/${n}`)
  const verdict = used.open(i % 2 === 0 ? LOCKED : { ...LOCKED, lock: false })
  if ((verdict === CACHE_MISS || verdict === CACHE_STALE) && i % 11 !== 0) storeBody(made, used, n)
  if (i % 97 === 0) made.cache.purgeKey(`/${n}`, false, { logError: () => {} })
  if (i % 131 === 0) made.cache.purgeTag(`t${n % 5}`, false)
  used.release()
}

function storeBody(made: TestCache, used: CacheUse, n: number): void {
  if (!begin(made, used, { tags: [`t${n % 5}`, 'all', `n${n}`] })) return
  const body = Buffer.from(bodyOf(n))
  const half = body.length >> 1
  used.append(body, 0, half)
  used.append(body, half, body.length)
  used.complete()
}

function work({ what, buffer, holdings, folder }: Job): void {
  noteHoldingsIn(holdings)
  clock.update()
  const made = viewOf(Zone.attach('one', buffer, CACHE_ZONE_KIND)!, folder, { maxSize: 400_000 })
  if (what === 'churn') {
    parentPort!.postMessage('ready')
    for (let i = Math.floor(Math.random() * 1000); ; i++) churn(made, i)
  }
  const used = use(made, '/one')
  assert.equal(used.open(LOCKED), CACHE_BUSY)
  used.wait({ onCacheWake: () => answer(used) })
  parentPort!.postMessage('waiting')
  // A pending wait alone does not keep a thread.
  setInterval(() => {}, 1000)
}

function answer(used: CacheUse): void {
  const verdict = used.follow()
  const { object } = used
  if (verdict !== CACHE_HIT) return
  const { growing } = object!
  if (growing === undefined) {
    parentPort!.postMessage({ follows: true, body: object!.entry!.content!.toString() })
    return
  }
  const tell = (): void => {
    if (!growing.ended) return
    const bytes = Buffer.alloc(10)
    const count = growing.read(bytes, 10, 0)
    parentPort!.postMessage({ follows: true, body: bytes.toString('latin1', 0, Number(count)) })
  }
  growing.listener = { onGrowth: tell }
  tell()
}

if (isMainThread) {
  dying()
  waking()
} else work(workerData)
