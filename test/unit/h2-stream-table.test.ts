/** The table of a connection's streams, beside a map, also when ids are chosen so that they want the same places. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StreamTable } from '../../src/http/h2/wire/stream-table.ts'

interface Stream {
  readonly id: number
}

function compare(nextId: (last: number) => number, openMax: number): void {
  const table = new StreamTable<Stream>()
  const map = new Map<number, Stream>()
  let last = -1
  let state = 1
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
  for (let i = 0; i < 4000; i++) {
    if (map.size < openMax && random() < 0.6) {
      last = nextId(last)
      table.add({ id: last })
      map.set(last, table.get(last)!)
      assert.equal(map.get(last)!.id, last)
    } else {
      const ids = [...map.keys()]
      const id = ids[Math.floor(random() * ids.length)] ?? last
      assert.equal(table.delete(id), map.delete(id))
      assert.equal(table.get(id), undefined)
    }
    assert.equal(table.count, map.size)
    for (const [id, stream] of map) assert.equal(table.get(id), stream)
  }
  assert.deepEqual(table.all(), [...map.values()])
  table.clear()
  assert.equal(table.count, 0)
  for (const id of map.keys()) assert.equal(table.get(id), undefined)
}

test('streams are found as long as they are open', () => {
  for (const openMax of [1, 3, 4, 128]) compare((last) => last + 2, openMax)
})

test('streams whose ids want the same place are found, too', () => {
  for (const step of [16, 64, 512]) compare((last) => (last < 0 ? 1 : last + step), 40)
})
