/** limit_req's leaky bucket, limit_conn's counts and counters, in one thread, with a given clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnRecords } from '../../src/shared/conn-records.ts'
import { Counters } from '../../src/shared/counter.ts'
import { NOT_NOTED } from '../../src/shared/holdings.ts'
import { RATE_AGAIN, RATE_BUSY, RATE_ERROR, RATE_OK, RateRecords } from '../../src/shared/rate-records.ts'
import { NO_RECORD } from '../../src/shared/table.ts'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'

const START = 1_000_000

function rateZone(rate: number, size = ZONE_SIZE_MIN): RateRecords {
  return new RateRecords(Zone.create('one', size, 'limit_req'), rate)
}

test('one request a second, no burst', () => {
  const zone = rateZone(1000)
  assert.equal(zone.lookup('a', START, 0, true), RATE_OK)
  assert.equal(zone.lookup('a', START, 0, true), RATE_BUSY)
  assert.equal(zone.excess, 1000)
  assert.equal(zone.lookup('b', START, 0, true), RATE_OK, 'another key has its own bucket')
  assert.equal(zone.lookup('a', START + 999, 0, true), RATE_BUSY)
  assert.equal(zone.excess, 1)
  assert.equal(zone.lookup('a', START + 1000, 0, true), RATE_OK)
})

test('a burst fills, leaks by the millisecond, and tells the delay', () => {
  const zone = rateZone(2000)
  const burst = 3000
  const excesses: number[] = []
  for (let i = 0; i < 4; i++) {
    assert.equal(zone.lookup('a', START, burst, true), RATE_OK)
    excesses.push(zone.excess)
  }
  assert.deepEqual(excesses, [0, 1000, 2000, 3000])
  assert.equal(zone.lookup('a', START, burst, true), RATE_BUSY)
  assert.equal(zone.lookup('a', START + 333, burst, true), RATE_BUSY)
  assert.equal(zone.excess, 3000 - 666 + 1000)
  assert.equal(zone.lookup('a', START + 501, burst, true), RATE_OK)
  assert.equal(zone.excess, 3000 - 1002 + 1000)
  assert.equal(zone.delayMs(2998, 0), 1499)
  assert.equal(zone.delayMs(2998, 2000), 499)
  assert.equal(zone.delayMs(2000, 2000), 0)
})

test('fractions of a request are cut as integers are', () => {
  const zone = rateZone(500) // 30r/m
  zone.lookup('a', START, 5000, true)
  zone.lookup('a', START, 5000, true)
  assert.equal(zone.excess, 1000)
  zone.lookup('a', START + 3, 5000, true)
  assert.equal(zone.excess, 1000 - 1 + 1000)
})

test('clocks that differ a little count as standing still, and far jumps back as one millisecond', () => {
  const zone = rateZone(1000)
  zone.lookup('a', START, 9000, true)
  zone.lookup('a', START - 5, 9000, true)
  assert.equal(zone.excess, 1000)
  zone.lookup('a', START - 60_001, 9000, true)
  assert.equal(zone.excess, 2000 - 1)
  zone.lookup('a', START - 60_001 + 100, 9000, true)
  assert.equal(zone.excess, 1999 - 100 + 1000, 'the jump back was taken over')
})

test('a request through several zones is charged at the end, or not at all', () => {
  const zone = rateZone(1000)
  assert.equal(zone.lookup('a', START, 0, false), RATE_AGAIN)
  zone.cancel()
  assert.equal(zone.account(START), -1, 'nothing is held any more')
  assert.equal(zone.lookup('b', 5, 0, false), RATE_AGAIN)
  zone.cancel()
  assert.equal(zone.lookup('b', 6, 0, true), RATE_OK, 'even when the clock has just begun')
  assert.equal(zone.lookup('a', START, 0, false), RATE_AGAIN)
  assert.equal(zone.account(START), 0)
  assert.equal(zone.lookup('a', START, 0, false), RATE_BUSY)
  assert.equal(zone.lookup('a', START, 1000, false), RATE_AGAIN)
  assert.equal(zone.account(START + 100), 900)
})

test('a full zone pushes out the oldest, but never a held record', () => {
  const zone = rateZone(1)
  let count = 0
  for (; count < 2000; count++) assert.equal(zone.lookup('k' + count, START, 0, true), RATE_OK)
  assert.equal(zone.lookup('k1999', START, 0, true), RATE_BUSY, 'the newest is still known')
  assert.equal(zone.lookup('k0', START, 0, true), RATE_OK, 'the oldest was forgotten')

  const held = rateZone(1)
  held.lookup('held', START, 0, false)
  let result = RATE_OK
  for (let i = 0; i < 2000 && result === RATE_OK; i++) result = held.lookup('k' + i, START, 0, true)
  assert.equal(result, RATE_ERROR, 'the oldest is held, so nothing is pushed out')
})

test('idle records go two at a time when others come', () => {
  const memory = Zone.create('one', ZONE_SIZE_MIN, 'limit_req')
  const zone = new RateRecords(memory, 1000)
  for (const key of ['a', 'b', 'c']) zone.lookup(key, START, 0, true)
  zone.lookup('d', START + 59_999, 0, true)
  assert.equal(memory.words[17], 4)
  zone.lookup('e', START + 60_000, 0, true)
  assert.equal(memory.words[17], 3, 'two went, one came')
})

test('connections are counted per key and records end with the last', () => {
  const memory = Zone.create('one', ZONE_SIZE_MIN, 'limit_conn')
  const zone = new ConnRecords(memory)
  const first = zone.acquire('a', 2)
  const second = zone.acquire('a', 2)
  assert.equal(zone.acquire('a', 2), NO_RECORD)
  assert.equal(zone.full, false)
  assert.equal(zone.count('a'), 2)
  zone.release(first, NOT_NOTED)
  zone.release(second, NOT_NOTED)
  assert.equal(zone.count('a'), 0)
  let count = 0
  while (zone.acquire('k' + count, 1) !== NO_RECORD) count++
  assert.equal(zone.full, true)
  assert.ok(count > 400)
})

test('counters carry over 32 bits both ways and keep their names', () => {
  const memory = Zone.create('one', ZONE_SIZE_MIN, 'counters')
  const counters = new Counters(memory)
  const bytes = counters.get('bytes')!
  for (let i = 0; i < 5; i++) bytes.add(4_000_000_000)
  assert.equal(bytes.value, 20_000_000_000)
  for (let i = 0; i < 5; i++) bytes.add(-4_000_000_000)
  assert.equal(bytes.value, 0)
  bytes.add(-3)
  assert.equal(bytes.value, -3)
  counters.get('requests')!.add(1)
  const again = new Counters(Zone.attach('one', memory.buffer, 'counters')!)
  assert.deepEqual(again.names(), ['bytes', 'requests'])
  assert.equal(again.get('bytes')!.value, -3)
  let made = 2
  while (again.get('c' + made) !== undefined) made++
  assert.equal(again.names().length, made)
})
