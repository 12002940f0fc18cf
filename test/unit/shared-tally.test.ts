/** Rows of threads: sums, resets, the end of a thread; labels; histograms; what comes most often. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { threadId } from 'node:worker_threads'
import { LABEL_SLOTS, LabelSlots, NO_SLOT } from '../../src/shared/label-slots.ts'
import { endTallyOf, TALLY_KIND, Tally, tallySize } from '../../src/shared/tally.ts'
import { addTime, countOf, HISTOGRAM_FIELDS, quantileOf, readHistogram } from '../../src/shared/time-histogram.ts'
import { TOP_SIZE, TopRecords } from '../../src/shared/top-records.ts'
import { Zone } from '../../src/shared/zone.ts'

const SHAPE = { fields: 3, gauges: 1 }

test('counts stay when a thread ends, gauges go, and its row is used again', () => {
  const buffer = new SharedArrayBuffer(tallySize(SHAPE.fields))
  const tally = Tally.attach('t', buffer, SHAPE)!
  tally.row[0]! += 2
  tally.row[1]! += 5
  assert.deepEqual([tally.sum(0), tally.sum(1)], [2, 5])
  assert.equal(Tally.attach('t', buffer, SHAPE)!.row.byteOffset, tally.row.byteOffset, 'the same thread has one row')
  endTallyOf(Zone.attach('t', buffer, TALLY_KIND)!, threadId)
  assert.deepEqual([tally.sum(0), tally.sum(1)], [0, 5])
  const next = Tally.attach('t', buffer, SHAPE)!
  next.row[1]!++
  assert.deepEqual([next.row.byteOffset, next.sum(1)], [tally.row.byteOffset, 6])
  assert.equal(Tally.attach('t', buffer, { fields: 4, gauges: 1 }), undefined, 'another shape is something else')
})

test('a reset begins at zero, but for gauges', () => {
  const tally = Tally.attach('t', new SharedArrayBuffer(tallySize(SHAPE.fields)), SHAPE)!
  tally.row[0] = 3
  tally.row[1] = 7
  tally.reset()
  tally.row[1]! += 2
  assert.deepEqual([tally.sum(0), tally.sum(1)], [3, 2])
  tally.reset()
  assert.equal(tally.sum(1), 0)
})

test('labels have one place each, for all, until there is none', () => {
  const words = new Int32Array(new SharedArrayBuffer(LABEL_SLOTS * 4))
  const [here, there] = [new LabelSlots(words, 0, 599), new LabelSlots(words, 0, 599)]
  for (let n = 0; n < LABEL_SLOTS; n++) assert.equal((n % 2 === 0 ? here : there).slotOf(100 + n), n)
  assert.deepEqual([here.slotOf(101), there.slotOf(100), there.labelAt(3)], [1, 0, 103])
  assert.equal(here.slotOf(599), NO_SLOT)
})

test('quantiles of a histogram lie in the bucket that they are in', () => {
  const row = new Float64Array(HISTOGRAM_FIELDS)
  assert.equal(
    quantileOf(
      readHistogram((n) => row[n]!, 0),
      0.5,
    ),
    0,
  )
  for (let n = 0; n < 98; n++) addTime(row, 0, 4)
  addTime(row, 0, 600)
  addTime(row, 0, 90_000)
  const times = readHistogram((n) => row[n]!, 0)
  assert.deepEqual([countOf(times), times.sumMs], [100, 98 * 4 + 90_600])
  assert.ok(quantileOf(times, 0.5) > 2 && quantileOf(times, 0.5) <= 5)
  assert.ok(quantileOf(times, 0.99) > 500 && quantileOf(times, 0.99) <= 750)
  assert.equal(quantileOf(times, 1), 10_000)
})

test('what comes often is found among very many that come once, and fades', () => {
  const top = new TopRecords(Zone.create('t', TOP_SIZE, 'top'))
  const now = 60_000_000
  for (let n = 0; n < 20_000; n++) {
    top.count('u', `/once/${n}`, 1, now)
    if (n % 20 === 0) top.count('u', '/often', 10, now)
  }
  const [first] = top.top('u', 1, now)
  assert.equal(first!.text, '/often')
  assert.ok(first!.count >= 1000 && Math.abs(first!.ms - 10) < 1)
  assert.ok(top.top('u', 1, now + 120_000)[0]!.count < first!.count / 3)
  assert.deepEqual(top.top('c', 5, now), [])
})
