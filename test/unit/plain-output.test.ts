/** Output that is not encrypted yet: whatever it is made of and however it is taken, it is the same bytes, and files are given back once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FileReader, PlainOutput } from '../../src/net/plain-output.ts'
import type { FilePiece } from '../../src/net/wire.ts'
import { pattern } from '../harness/ring-acceptor.ts'

const RECORD = 16_384
const place = Buffer.alloc(4 * RECORD)

/** A part of a file that is not there: its bytes are `bytes`, of which the last `missing` cannot be read. */
class FakePart implements FilePiece {
  readonly fd = -1
  readonly at = 0
  readonly length: number
  readonly bytes: Buffer
  readonly told: number[] = []

  constructor(bytes: Buffer, missing = 0) {
    this.length = bytes.length
    this.bytes = bytes.subarray(0, bytes.length - missing)
  }

  done(missing: number): void {
    this.told.push(missing)
  }
}

const reader: FileReader = {
  readPart(piece, from, to, size) {
    assert.ok(piece instanceof FakePart && from < piece.length && to + size <= place.length)
    // As a system may: never more than so much at once.
    return piece.bytes.copy(place, to, from, Math.min(piece.bytes.length, from + Math.min(size, 50_000)))
  },
}

/** Takes all of it as a wire does; what was encrypted in place is told by its size. */
function takeAll(plain: PlainOutput, sizes: () => number): { bytes: Buffer; inPlace: number } {
  const taken: Buffer[] = []
  let inPlace = 0
  while (plain.size > 0) {
    const max = sizes()
    const whole = plain.whole(max)
    const count = whole?.length ?? plain.copy(place, max, reader)
    assert.ok(count > 0 && count <= max)
    if (whole !== undefined) assert.equal(whole.length % RECORD, 0)
    if (whole !== undefined) inPlace += count
    taken.push(Buffer.from(whole ?? place.subarray(0, count)))
    plain.skip(count)
  }
  return { bytes: Buffer.concat(taken), inPlace }
}

/** Numbers that look random and are the same each time. */
function numbers(seed: number): (below: number) => number {
  const words = new Uint32Array(new Uint8Array(pattern(400_000, seed)).buffer)
  let at = 0
  return (below) => words[at++ % words.length]! % below
}

test('any pieces, taken in any sizes', () => {
  for (let seed = 0; seed < 200; seed++) {
    const next = numbers(seed)
    const size = [1, 100, RECORD - 1, RECORD, RECORD + 1, 100_000, 200_000]
    const plain = new PlainOutput()
    const expected: Buffer[] = []
    const files: FakePart[] = []
    for (let n = next(8); n >= 0; n--) {
      const bytes = pattern(size[next(size.length)]! + next(3), seed * 10 + n)
      const kind = next(3)
      if (kind === 2) files.push(new FakePart(bytes))
      plain.push(kind === 0 ? bytes.latin1Slice() : kind === 1 ? bytes : files.at(-1)!)
      expected.push(bytes)
    }
    assert.equal(plain.size, Buffer.concat(expected).length)
    const { bytes } = takeAll(plain, () => 1 + next(seed % 2 === 0 ? place.length : 5000))
    assert.ok(bytes.equals(Buffer.concat(expected)), `seed ${seed}`)
    for (const { told } of files) assert.deepEqual(told, [0])
  }
})

test('what lies in one piece is not copied, but for what fills up the record before it', () => {
  const plain = new PlainOutput()
  const body = pattern(100_000, 1)
  plain.push('x'.repeat(300))
  plain.push(body)
  const { bytes, inPlace } = takeAll(plain, () => place.length)
  assert.ok(bytes.equals(Buffer.concat([Buffer.from('x'.repeat(300)), body])))
  assert.equal(inPlace, 5 * RECORD)
})

test('a piece that is hardly larger than a record is copied behind what precedes it, and makes no record of its own', () => {
  const plain = new PlainOutput()
  for (let n = 0; n < 3; n++) {
    plain.push('123456789')
    plain.push(pattern(RECORD, n))
  }
  assert.equal(plain.whole(place.length), undefined)
  assert.equal(plain.copy(place, place.length, reader), 3 * (RECORD + 9))
})

test('a file that is shorter than it was gives what it has, and then nothing', () => {
  const plain = new PlainOutput()
  const file = new FakePart(pattern(1000, 1), 400)
  const behind = new FakePart(pattern(10, 2))
  plain.push('ab')
  plain.push(file)
  plain.push(behind)
  assert.equal(plain.copy(place, 100, reader), 100)
  plain.skip(100)
  assert.equal(plain.copy(place, place.length, reader), 502)
  plain.skip(502)
  assert.equal(plain.copy(place, place.length, reader), 0)
  plain.clear(true)
  assert.deepEqual([file.told, behind.told, plain.size], [[400], [0], 0])
})

test('who gives up gets every file back, once', () => {
  const plain = new PlainOutput()
  const files = [new FakePart(pattern(1000, 1)), new FakePart(pattern(1000, 2)), new FakePart(pattern(1000, 3))]
  for (const file of files) plain.push(file)
  plain.skip(1500)
  plain.clear(false)
  for (const { told } of files) assert.deepEqual(told, [0])
})
