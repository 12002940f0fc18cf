/** The tree of priorities: places, exclusive dependencies, moves below a child, and no circle whatever a client says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Priorities } from '../../src/http/h2/priorities.ts'
import { leaveList, TurnList, type Waiting } from '../../src/http/h2/turns.ts'
import { Dice } from '../harness/dice.ts'

function placeOf(priorities: Priorities, id: number): { readonly rank: number; readonly share: number } {
  const stream = { id, rank: -1, share: -1 }
  priorities.place(stream)
  return { rank: stream.rank, share: stream.share }
}

test('ranks and shares', () => {
  const p = new Priorities()
  p.set(1, 0, 256, false)
  p.set(3, 1, 128, false)
  p.set(5, 1, 64, true)
  assert.deepEqual(placeOf(p, 1), { rank: 1, share: 1 })
  assert.deepEqual(placeOf(p, 5), { rank: 2, share: 0.25 })
  assert.deepEqual(placeOf(p, 3), { rank: 3, share: 0.125 })
  p.set(1, 3, 256, false)
  assert.deepEqual(placeOf(p, 3).rank, 1)
  assert.deepEqual(placeOf(p, 1).rank, 2)
  assert.deepEqual(placeOf(p, 5).rank, 3)
})

test('no circles', () => {
  const dice = new Dice(7)
  const p = new Priorities()
  for (let n = 0; n < 20_000; n++) {
    const id = 1 + 2 * dice.below(300)
    const parent = dice.below(4) === 0 ? 0 : 1 + 2 * dice.below(300)
    if (parent !== id) p.set(id, parent, 1 + dice.below(256), dice.below(3) === 0)
    if (dice.below(5) === 0) p.opened(1 + 2 * dice.below(300))
    assert.ok(placeOf(p, id).rank <= 200)
  }
})

class Entry implements Waiting {
  waitsIn: TurnList<never> | undefined
  before: Waiting = this
  after: Waiting = this
  readonly name: string
  rank: number
  share: number

  constructor(name: string, rank: number, share: number) {
    this.name = name
    this.rank = rank
    this.share = share
  }
}

test('turns by rank, share and time', () => {
  const list = new TurnList<Entry>()
  const entries = [new Entry('a', 1, 0.1), new Entry('b', 2, 1), new Entry('c', 1, 0.5), new Entry('d', 1, 0.1)]
  for (const entry of entries) list.add(entry)
  leaveList(new Entry('e', 1, 1))
  assert.equal(list.count, 4)
  const order: string[] = []
  for (let entry = list.take(); entry !== undefined; entry = list.take()) order.push(entry.name)
  assert.deepEqual(order, ['c', 'a', 'd', 'b'])
})
