/** Zones under several real threads at once: totals are exact, and a thread may die anywhere, even inside a lock. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { ConnRecords } from '../../src/shared/conn-records.ts'
import { Counters } from '../../src/shared/counter.ts'
import { releaseThread } from '../../src/shared/dead-thread.ts'
import { RATE_OK, RateRecords } from '../../src/shared/rate-records.ts'
import { NO_RECORD, Table } from '../../src/shared/table.ts'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'

const THREADS = 3
const ROUNDS = 20_000
const KEYS = 50

interface Job {
  readonly what: 'rate' | 'conn' | 'count' | 'hold' | 'churn'
  readonly buffer: SharedArrayBuffer
}

function sharing(): void {
  test('a rate limit lets exactly the burst through, over all threads', async () => {
    const zone = Zone.create('z', ZONE_SIZE_MIN, 'limit_req')
    const passed = await run('rate', zone)
    assert.equal(sum(passed), KEYS * 101)
  })

  test('connection counts return to zero, and never pass the limit', async () => {
    const zone = Zone.create('z', ZONE_SIZE_MIN, 'limit_conn')
    const worst = await run('conn', zone)
    assert.ok(Math.max(...worst) <= 2)
    const records = new ConnRecords(zone)
    for (let key = 0; key < KEYS; key++) assert.equal(records.count('key' + key), 0)
    assert.equal(new Table(zone).cells.used, 0)
  })

  test('counters lose nothing', async () => {
    const zone = Zone.create('z', ZONE_SIZE_MIN, 'counters')
    await run('count', zone)
    assert.equal(new Counters(zone).get('bytes')!.value, THREADS * ROUNDS * 1_000_003)
    assert.equal(new Counters(zone).get('open')!.value, 0)
  })
}

function deaths(): void {
  test('a thread that dies inside the lock is replaced as its owner', async () => {
    const zone = Zone.create('z', ZONE_SIZE_MIN, 'test')
    const table = new Table(zone)
    table.insert('kept')
    const worker = start('hold', zone)
    await once(worker, 'message')
    const dead = worker.threadId
    await worker.terminate()
    releaseThread([zone.buffer, new SharedArrayBuffer(8)], { threadId: dead, holdings: new SharedArrayBuffer(0) })
    table.enter()
    assert.notEqual(table.find('kept'), NO_RECORD)
    table.leave()
  })

  test('without anybody telling, a dead owner loses the lock after a second', async () => {
    const zone = Zone.create('z', ZONE_SIZE_MIN, 'test')
    const table = new Table(zone)
    const worker = start('hold', zone)
    await once(worker, 'message')
    await worker.terminate()
    table.enter()
    table.insert('after')
    table.leave()
    table.enter()
    assert.notEqual(table.find('after'), NO_RECORD)
    table.leave()
  })

  test('threads killed at random leave a table that works', async () => {
    const zone = Zone.create('z', ZONE_SIZE_MIN, 'test')
    const table = new Table(zone)
    for (let round = 0; round < 6; round++) {
      const worker = start('churn', zone)
      await once(worker, 'message')
      for (let i = 0; i < 500; i++) churn(table, i)
      const dead = worker.threadId
      await worker.terminate()
      releaseThread([zone.buffer], { threadId: dead, holdings: new SharedArrayBuffer(0) })
      table.enter()
      let listed = 0
      for (let at = table.oldest(); at !== NO_RECORD; at = table.newer(at)) {
        assert.equal(table.find(table.keyOf(at)), at)
        listed++
      }
      assert.equal(listed, table.count)
      table.leave()
    }
  })
}

function start(what: Job['what'], zone: Zone): Worker {
  const job: Job = { what, buffer: zone.buffer }
  return new Worker(new URL(import.meta.url), { workerData: job })
}

async function run(what: Job['what'], zone: Zone): Promise<number[]> {
  const workers = Array.from({ length: THREADS }, () => start(what, zone))
  return Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as number))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function work(job: Job): void {
  parentPort!.postMessage(JOBS[job.what](job.buffer))
  // What follows runs until the thread is terminated.
  if (job.what === 'hold') for (;;);
  if (job.what === 'churn') {
    const table = new Table(Zone.attach('z', job.buffer, 'test')!)
    for (let i = 0; ; i++) churn(table, i)
  }
}

function churn(table: Table, i: number): void {
  const key = 'key of some length '.repeat(1 + (i % 7)) + (i % 31)
  table.enter()
  const record = table.find(key)
  if (record === NO_RECORD) table.insert(key)
  else if (i % 3 === 0) table.remove(record)
  else table.touch(record)
  table.leave()
}

const JOBS: Record<Job['what'], (buffer: SharedArrayBuffer) => number> = {
  rate(buffer) {
    // The rate is so low that nothing leaks: one request and a burst of a hundred pass for each key.
    const records = new RateRecords(Zone.attach('z', buffer, 'limit_req')!, 1)
    let passed = 0
    for (let i = 0; i < ROUNDS; i++) if (records.lookup('key' + (i % KEYS), 1000, 100_000, true) === RATE_OK) passed++
    return passed
  },
  conn(buffer) {
    const records = new ConnRecords(Zone.attach('z', buffer, 'limit_conn')!)
    let worst = 0
    for (let i = 0; i < ROUNDS; i++) {
      const record = records.acquire('key' + (i % KEYS), 2)
      worst = Math.max(worst, records.count('key' + (i % KEYS)))
      if (record !== NO_RECORD) records.release(record, records.note)
    }
    return worst
  },
  count(buffer) {
    const counters = new Counters(Zone.attach('z', buffer, 'counters')!)
    const bytes = counters.get('bytes')!
    const open = counters.get('open')!
    for (let i = 0; i < ROUNDS; i++) {
      open.add(1)
      bytes.add(1_000_003)
      open.add(-1)
    }
    return 0
  },
  hold(buffer) {
    new Table(Zone.attach('z', buffer, 'test')!).enter()
    return 0
  },
  churn: () => 0,
}

if (isMainThread) {
  sharing()
  deaths()
} else work(workerData)
