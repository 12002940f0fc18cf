/** Bodies compressed in pieces are valid gzip, wherever they are cut; and decompression in pieces takes them back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { GunzipStream } from '../../src/lib/gunzip-stream.ts'
import { GzipPieces, gzipWhole } from '../../src/lib/gzip-pieces.ts'

const TEXT = Buffer.from(Array.from({ length: 20000 }, (_, i) => `line ${(i * 7919) % 4001}\n`).join(''))

test('pieces of every size make one member', () => {
  for (const size of [1000, 32767, 32768, 32769, 65536, 1000000]) {
    const pieces = new GzipPieces(1)
    const parts: Buffer[] = []
    for (let at = 0; at < TEXT.length; at += size) parts.push(pieces.next(TEXT.subarray(at, at + size), false))
    parts.push(pieces.next(Buffer.alloc(0), true))
    assert.ok(gunzipSync(Buffer.concat(parts)).equals(TEXT), `pieces of ${size}`)
  }
  const empty = new GzipPieces(9)
  assert.equal(gunzipSync(empty.next(Buffer.alloc(0), true)).length, 0)
})

test('pieces are nearly as small as a stream', () => {
  const pieces = new GzipPieces(6)
  let size = 0
  for (let at = 0; at < TEXT.length; at += 65536) size += pieces.next(TEXT.subarray(at, at + 65536), false).length
  assert.ok(size < gzipSync(TEXT, { level: 6 }).length * 1.05)
})

test('whole bodies of all sizes survive', () => {
  for (const size of [0, 1, 20, 300, 511, 512, 5000, 32768, 200000]) {
    assert.ok(gunzipSync(gzipWhole(TEXT.subarray(0, size), 1)).equals(TEXT.subarray(0, size)))
  }
})

test('decompression takes input at any cut', () => {
  const packed = gzipSync(TEXT)
  const output = Buffer.alloc(1000)
  for (const size of [1, 7, 1000, 1 << 20]) {
    const stream = new GunzipStream()
    const parts: Buffer[] = []
    for (let at = 0; at < packed.length; at += size) {
      let input = packed.subarray(at, at + size)
      do {
        const count = stream.write(input, output)
        input = input.subarray(stream.used)
        parts.push(Buffer.from(output.subarray(0, count)))
      } while (input.length > 0 || stream.more)
    }
    assert.equal(stream.error, '')
    assert.ok(Buffer.concat(parts).equals(TEXT), `pieces of ${size}`)
    stream.close()
    stream.close()
  }
})

test('what is not gzip is an error', () => {
  const stream = new GunzipStream()
  stream.write(Buffer.from('certainly not gzip'), Buffer.alloc(100))
  assert.notEqual(stream.error, '')
  stream.close()
})
