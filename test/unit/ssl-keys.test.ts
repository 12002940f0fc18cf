/** Keys of session tickets over time and threads, and sessions in shared memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RotatingKeys } from '../../src/shared/rotating-keys.ts'
import { SessionRecords } from '../../src/shared/session-records.ts'
import { StatusRecords } from '../../src/shared/status-records.ts'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'
import { FileTicketKeys } from '../../src/tls/ticket-keys.ts'

function zone(): Zone {
  return Zone.create('test', ZONE_SIZE_MIN, 'test')
}

/** The same memory as another thread sees it. */
function elsewhere({ buffer }: Zone): Zone {
  return Zone.attach('test', buffer, 'test')!
}

test('threads have the same keys, and an old one as long as something made with it lasts', () => {
  const memory = zone()
  const one = new RotatingKeys(memory)
  const other = new RotatingKeys(elsewhere(memory))
  one.rotate(1000, 300)
  other.rotate(1000, 300)
  const first = one.current
  assert.deepEqual(other.current, first)
  assert.notDeepEqual(first, Buffer.alloc(48))
  one.rotate(1299, 300)
  assert.deepEqual(one.current, first)
  one.rotate(1301, 300)
  const second = one.current
  assert.notDeepEqual(second, first)
  assert.deepEqual(one.previous, first)
  other.rotate(1302, 300)
  assert.deepEqual([other.current, other.previous], [second, first])
  // The first key was last used at 1299.
  one.rotate(1605, 300)
  assert.deepEqual(one.previous, second)
  assert.notDeepEqual(one.current, second)
})

test('of keys in files the first is used, and all are known', () => {
  const key = (fill: number, size: number): Buffer => Buffer.alloc(size, fill)
  const keys = new FileTicketKeys([key(1, 48), key(2, 80)])
  const [use, hmac, aes, name, iv] = keys.answer(Buffer.alloc(16), true, false) as [number, ...Buffer[]]
  assert.equal(use, 1)
  assert.deepEqual([hmac, aes, name], [key(1, 16), key(1, 16), key(1, 16)])
  assert.equal(iv!.length, 16)
  assert.notDeepEqual((keys.answer(Buffer.alloc(16), true, false) as Buffer[])[4], iv)
  const outcome = (fill: number, is13: boolean): unknown => keys.answer(key(fill, 16), false, is13)[0]
  assert.deepEqual([outcome(1, false), outcome(1, true), outcome(2, false), outcome(3, false)], [1, 2, 2, 0])
  assert.deepEqual(keys.answer(key(2, 16), false, false).slice(1), [key(2, 32), key(2, 16)])
  // Node looks at the keys in any case.
  for (const answer of [outcome, keys.answer(key(9, 16), false, true)].slice(1)) {
    assert.ok((answer as unknown[]).slice(1).every((part) => Buffer.isBuffer(part)))
  }
})

test('sessions are found by their ids until they end', () => {
  const memory = zone()
  const sessions = new SessionRecords(memory)
  const other = new SessionRecords(elsewhere(memory))
  const id = (n: number): string => String.fromCharCode(n).repeat(32)
  assert.equal(sessions.add(id(1), 'one', 100, 200), true)
  assert.equal(sessions.add(id(2), 'one', 100, 300), true)
  assert.equal(other.find(id(1), 150), 'one')
  assert.equal(other.find(id(1), 200), undefined)
  assert.equal(other.find(id(1), 150), undefined, 'it is gone')
  assert.equal(sessions.add(id(2), 'two', 100, 300), true)
  assert.equal(other.find(id(2), 150), 'two')
  other.remove(id(2))
  assert.equal(sessions.find(id(2), 150), undefined)
  assert.equal(sessions.find('', 150), undefined)
  assert.equal(sessions.find(`${id(3)}more`, 150), undefined)
})

test('the oldest sessions make room', () => {
  const sessions = new SessionRecords(zone())
  const id = (n: number): string => `${n}`.padStart(32, '0')
  for (let n = 0; n < 500; n++) assert.equal(sessions.add(id(n), 's'.repeat(200), 1, 1000), true)
  assert.equal(sessions.find(id(0), 2), undefined)
  assert.equal(sessions.find(id(499), 2), 's'.repeat(200))
  assert.equal(sessions.add(id(500), 's'.repeat(60000), 1, 1000), false)
})

test('statuses are known while they hold', () => {
  const statuses = new StatusRecords(zone())
  statuses.add('a', 1, 100, 200)
  assert.deepEqual(
    [statuses.find('a', 199), statuses.find('a', 200), statuses.find('b', 100)],
    [1, undefined, undefined],
  )
  statuses.add('a', 2, 150, 300)
  assert.equal(statuses.find('a', 250), 2)
  for (let n = 0; n < 2000; n++) statuses.add(`key ${n}`, 0, 160, 400)
  assert.equal(statuses.find('key 1999', 170), 0)
})
