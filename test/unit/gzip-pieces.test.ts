/** Bodies compressed in pieces are valid, wherever they are cut; and decompression in pieces takes them back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliDecompressSync, gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib'
import { brotliPieces, brotliWhole, zstdPieces, zstdWhole } from '../../src/lib/coded-pieces.ts'
import { GzipPieces, gzipWhole } from '../../src/lib/gzip-pieces.ts'
import { ZlibStream } from '../../src/lib/zlib-stream.ts'

const TEXT = Buffer.from(Array.from({ length: 20000 }, (_, i) => `line ${(i * 7919) % 4001}\n`).join(''))

test('pieces of every size make one member', () => {
  for (const size of [1000, 32767, 32768, 32769, 65536, 1000000]) {
    const pieces = new GzipPieces(1)
    const parts: Buffer[] = []
    for (let at = 0; at < TEXT.length; at += size) parts.push(pieces.next(TEXT.subarray(at, at + size), false, false))
    parts.push(pieces.next(Buffer.alloc(0), false, true))
    assert.ok(gunzipSync(Buffer.concat(parts)).equals(TEXT), `pieces of ${size}`)
  }
  const empty = new GzipPieces(9)
  assert.equal(gunzipSync(empty.next(Buffer.alloc(0), false, true)).length, 0)
})

test('pieces are nearly as small as a stream', () => {
  const pieces = new GzipPieces(6)
  let size = 0
  for (let at = 0; at < TEXT.length; at += 65536)
    size += pieces.next(TEXT.subarray(at, at + 65536), false, false).length
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
    const stream = ZlibStream.gunzip()
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
  const stream = ZlibStream.gunzip()
  stream.write(Buffer.from('certainly not gzip'), Buffer.alloc(100))
  assert.notEqual(stream.error, '')
  stream.close()
})

test('pieces of Brotli and Zstandard make one body, and come out when they are to be flushed', () => {
  for (const [make, unpack] of [
    [() => brotliPieces(5, 19), brotliDecompressSync],
    [() => brotliPieces(0, 10), brotliDecompressSync],
    [() => zstdPieces(1), zstdDecompressSync],
    [() => zstdPieces(-1), zstdDecompressSync],
  ] as const) {
    for (const size of [1000, 65536, 1000000]) {
      for (const flush of [false, true]) {
        const pieces = make()
        const parts: Buffer[] = []
        for (let at = 0; at < TEXT.length; at += size) {
          const part = pieces.next(TEXT.subarray(at, at + size), flush, false)
          if (flush) assert.ok(part.length > 0)
          parts.push(part)
        }
        parts.push(pieces.next(Buffer.alloc(0), false, true))
        pieces.close()
        assert.ok(unpack(Buffer.concat(parts)).equals(TEXT), `pieces of ${size}`)
      }
    }
  }
})

test('whole bodies of Brotli and Zstandard survive at every level', () => {
  for (const size of [0, 1, 300, 20000]) {
    const bytes = TEXT.subarray(0, size)
    for (let level = 0; level <= 11; level++)
      assert.ok(brotliDecompressSync(brotliWhole(bytes, level, 10)).equals(bytes))
    for (const level of [-131072, -1, 1, 3, 19, 22]) {
      assert.ok(zstdDecompressSync(zstdWhole(bytes, level)).equals(bytes))
    }
  }
})
