/** Small leaves: hashes, binary strings, queue, least-recently-used map, random identifiers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 as zlibCrc32 } from 'node:zlib'
import { bytesOf, fromBinary, toBinary } from '../../src/lib/bytes.ts'
import { crc32 } from '../../src/lib/crc32.ts'
import { Lru } from '../../src/lib/lru.ts'
import { murmurHash2 } from '../../src/lib/murmur.ts'
import { randomId, randomUint32 } from '../../src/lib/random.ts'
import { Ring } from '../../src/lib/ring.ts'

test('crc32 is the one of zlib, in one piece or several', () => {
  const bytes = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7) & 255))
  const text = bytes.toString('latin1')
  assert.equal(crc32(text), zlibCrc32(bytes))
  assert.equal(crc32(text.slice(100), crc32(text.slice(0, 100))), zlibCrc32(bytes))
  assert.equal(crc32(''), 0)
  assert.equal(crc32('123456789'), 0xcbf43926)
})

test('murmurHash2 gives the known values at every tail length', () => {
  // Values of a second implementation, written from the algorithm's description.
  assert.equal(murmurHash2(''), 0)
  assert.equal(murmurHash2('a'), 0x92685f5e)
  assert.equal(murmurHash2('ab'), 0x1aa14063)
  assert.equal(murmurHash2('abc'), 0x13577c9b)
  assert.equal(murmurHash2('abcd'), 0x26873021)
  assert.equal(murmurHash2('abcde'), 0x5f09a8de)
  assert.equal(murmurHash2('abcd\xff\xfe'), 0x4b34a08a)
})

test('binary strings', () => {
  assert.equal(toBinary('plain'), 'plain')
  assert.equal(toBinary('é'), '\xc3\xa9')
  assert.equal(fromBinary('\xc3\xa9'), 'é')
  assert.deepEqual([...bytesOf('\xff')], [255])
  assert.deepEqual([...bytesOf('€')], [0xe2, 0x82, 0xac])
})

test('ring keeps order, refuses when full, and wraps', () => {
  const ring = new Ring<number>(4)
  let next = 0
  let expected = 0
  for (let round = 0; round < 10; round++) {
    while (ring.push(next)) next++
    assert.equal(ring.count, 4)
    for (let i = 0; i < 3; i++) {
      assert.equal(ring.peek(), expected)
      assert.equal(ring.shift(), expected++)
    }
  }
  assert.equal(ring.shift(), expected)
  assert.equal(ring.shift(), undefined)
  assert.throws(() => new Ring(3))
})

test('lru evicts what was used longest ago', () => {
  const evicted: string[] = []
  const lru = new Lru<string, number>(2, (key) => evicted.push(key))
  lru.set('a', 1)
  lru.set('b', 2)
  assert.equal(lru.get('a'), 1)
  lru.set('c', 3)
  assert.deepEqual(evicted, ['b'])
  assert.equal(lru.peek('a'), 1)
  lru.set('a', 4)
  assert.equal(lru.count, 2)
  assert.deepEqual(lru.oldest, ['c', 3])
  assert.equal(lru.get('c'), 3)
  assert.deepEqual(lru.oldest, ['a', 4])
  assert.equal(lru.delete('x'), false)
  lru.clear()
  assert.deepEqual(evicted, ['b', 'a', 'c'])
  assert.equal(lru.oldest, undefined)
  lru.set('d', 5)
  assert.equal(lru.get('d'), 5)
})

test('random identifiers are 32 hexadecimal digits and differ', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 1000; i++) seen.add(randomId())
  assert.equal(seen.size, 1000)
  for (const id of seen) assert.match(id, /^[0-9a-f]{32}$/)
  assert.ok(randomUint32() <= 0xffffffff)
})
