/** Zones and tables of one thread: layout, capacity, long keys, order, repair, and a model to compare with. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Handle, KEY_SIZE_MAX, NO_RECORD, Table } from '../../src/shared/table.ts'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'

const MEGABYTE = 1024 * 1024

function tableOf(size: number): Table {
  return new Table(Zone.create('t', size, 'test'))
}

/** Keys from the oldest to the newest. */
function keys(table: Table): string[] {
  const found: string[] = []
  for (let at = table.oldest(); at !== NO_RECORD; at = table.newer(at)) found.push(table.keyOf(at))
  return found
}

test('a zone is recognised by its kind, and nothing else is', () => {
  const zone = Zone.create('one', ZONE_SIZE_MIN + 17, 'limit_req')
  assert.equal(zone.size, ZONE_SIZE_MIN)
  assert.equal(Zone.attach('one', zone.buffer, 'limit_req')?.name, 'one')
  assert.equal(Zone.attach('one', zone.buffer, 'limit_conn'), undefined)
  const other = new SharedArrayBuffer(ZONE_SIZE_MIN)
  new Int32Array(other)[0] = 1
  assert.equal(Zone.attach('one', other, 'limit_req'), undefined)
  assert.equal(Zone.attach('one', new SharedArrayBuffer(64), 'limit_req'), undefined)
  assert.throws(() => Zone.create('small', 4096, 'limit_req'))
})

test('blank memory becomes a zone by attaching', () => {
  const buffer = new SharedArrayBuffer(ZONE_SIZE_MIN + 33)
  const table = new Table(Zone.attach('one', buffer, 'test')!)
  const record = table.insert('key')
  assert.equal(new Table(Zone.attach('one', buffer, 'test')!).find('key'), record)
  assert.equal(Zone.attach('one', buffer, 'other'), undefined)
})

test('what one table writes, another on the same memory reads', () => {
  const zone = Zone.create('one', ZONE_SIZE_MIN, 'test')
  const first = new Table(zone)
  const record = first.insert('key')
  first.setFloat(record, 0, 1.5)
  first.setFloat(record, 1, -(2 ** 40))
  first.setInteger(record, -7)
  const second = new Table(Zone.attach('one', zone.buffer, 'test')!)
  const same = second.find('key')
  assert.equal(same, record)
  assert.deepEqual([second.float(same, 0), second.float(same, 1), second.integer(same)], [1.5, -(2 ** 40), -7])
})

test('a megabyte holds about sixteen thousand addresses', () => {
  const table = tableOf(MEGABYTE)
  let count = 0
  while (table.insert(String.fromCharCode(count >> 8, count & 255, 1, 2)) !== NO_RECORD) count++
  assert.ok(count > 15_500, String(count))
  assert.equal(table.count, count)
  assert.equal(table.cells.used, table.cells.total)
})

test('keys of every size up to the largest', () => {
  const table = tableOf(MEGABYTE)
  const sizes = [0, 1, 19, 20, 21, 71, 72, 73, 124, 125, 1000, KEY_SIZE_MAX]
  const keyOf = (size: number) =>
    Array.from({ length: size }, (_, i) => String.fromCharCode((i * 7 + size) & 255)).join('')
  const records = sizes.map((size) => table.insert(keyOf(size)))
  sizes.forEach((size, i) => {
    assert.equal(table.find(keyOf(size)), records[i], String(size))
    assert.equal(table.keyOf(records[i]!), keyOf(size))
    if (size > 0) assert.equal(table.find(keyOf(size).slice(0, -1) + '!'), NO_RECORD)
  })
  assert.equal(table.insert('x'.repeat(KEY_SIZE_MAX + 1)), NO_RECORD)
  for (const record of records) table.remove(record)
  assert.deepEqual([table.count, table.cells.used, keys(table).length], [0, 0, 0])
})

test('a full table refuses until something is removed', () => {
  const table = tableOf(ZONE_SIZE_MIN)
  let count = 0
  while (table.insert('k' + count) !== NO_RECORD) count++
  assert.equal(table.insert('one more'), NO_RECORD)
  table.remove(table.oldest())
  assert.equal(table.find('k0'), NO_RECORD)
  assert.equal(table.insert('x'.repeat(21)), NO_RECORD, 'two cells do not fit into one')
  assert.notEqual(table.insert('one more'), NO_RECORD)
})

test('touch moves to the front', () => {
  const table = tableOf(ZONE_SIZE_MIN)
  for (const key of ['a', 'b', 'c']) table.insert(key)
  table.touch(table.find('a'))
  assert.deepEqual(keys(table), ['b', 'c', 'a'])
  table.touch(table.find('a'))
  table.touch(table.find('c'))
  assert.deepEqual(keys(table), ['b', 'a', 'c'])
  table.remove(table.find('a'))
  assert.deepEqual(keys(table), ['b', 'c'])
})

test('random operations agree with a Map', () => {
  const table = tableOf(ZONE_SIZE_MIN)
  const model = new Map<string, number>()
  let seed = 99
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  for (let step = 0; step < 60_000; step++) {
    const number = random(400)
    const key = String(number).repeat(1 + (number % 40))
    const record: Handle = table.find(key)
    assert.equal(record !== NO_RECORD, model.has(key), key)
    const action = random(4)
    if (record === NO_RECORD) {
      const made = action < 3 ? table.insert(key) : NO_RECORD
      if (made === NO_RECORD) continue
      table.setInteger(made, step)
      model.set(key, step)
    } else if (action === 0) {
      table.remove(record)
      model.delete(key)
    } else {
      assert.equal(table.integer(record), model.get(key))
      table.touch(record)
      model.delete(key)
      table.setInteger(record, step)
      model.set(key, step)
    }
    assert.equal(table.count, model.size)
    if (step % 5000 === 0) assert.deepEqual(keys(table), [...model.keys()])
  }
  assert.deepEqual(keys(table), [...model.keys()])
})

test('repair keeps whole records and drops half-made ones, whatever else is overwritten', () => {
  const zone = Zone.create('one', ZONE_SIZE_MIN, 'test')
  const table = new Table(zone)
  const all = Array.from({ length: 60 }, (_, i) => 'key number '.repeat(1 + (i % 9)) + i)
  for (const key of all) table.setInteger(table.insert(key), key.length)
  const half = table.insert('half made')
  const buckets = zone.words.indexOf(half) // The chain that begins with the newest record.
  zone.words[half + 2] = -1
  zone.words.fill(12345, buckets, buckets + 1)
  zone.words.fill(77, 13, 18)
  zone.lock.release(1234) // Not the owner: nothing happens.
  zone.words[4] = 4321 + 1
  zone.lock.release(4321)
  table.enter()
  assert.equal(table.find('half made'), NO_RECORD)
  for (const key of all) assert.equal(table.integer(table.find(key)), key.length, key)
  assert.equal(table.count, all.length)
  assert.equal(keys(table).length, all.length)
  for (const key of all) table.remove(table.find(key))
  assert.equal(table.cells.used, 0)
  table.leave()
})
