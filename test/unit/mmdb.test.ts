/** Databases of MaxMind: every kind of tree and value, and broken files. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIp } from '../../src/lib/ip.ts'
import { Mmdb } from '../../src/lib/mmdb.ts'
import { Dice } from '../harness/dice.ts'
import { bitsOf, encode, makeMmdb, pointer } from '../harness/mmdb.ts'

const LONG = 'x'.repeat(70000)
const RECORD = encode({
  country: { iso_code: 'DE', names: { en: 'Germany', de: 'Deutschland', ü: 'ä' } },
  list: ['first', 'second', { inner: 'third' }],
  yes: true,
  no: false,
  double: { type: 'double', value: 51.5 },
  float: { type: 'float', value: -0.25 },
  uint16: { type: 'uint16', value: 0 },
  uint32: { type: 'uint32', value: 4294967295 },
  int32: { type: 'int32', value: -5 },
  uint64: { type: 'uint64', value: 18446744073709551615n },
  uint128: { type: 'uint128', value: 255 },
  bytes: { type: 'bytes', value: Buffer.from('\0\xff', 'latin1') },
  middle: 'y'.repeat(300),
  long: LONG,
})
const VALUES: readonly [string, string | undefined][] = [
  ['country iso_code', 'DE'],
  ['country names de', 'Deutschland'],
  ['country names \xc3\xbc', '\xc3\xa4'],
  ['country names', undefined],
  ['country names fr', undefined],
  ['country iso_code more', undefined],
  ['list 1', 'second'],
  ['list 2 inner', 'third'],
  ['list -3', 'first'],
  ['list 3', undefined],
  ['list x', undefined],
  ['yes', '1'],
  ['no', '0'],
  ['double', '51.50000'],
  ['float', '-0.25000'],
  ['uint16', '0'],
  ['uint32', '4294967295'],
  ['int32', '-5'],
  ['uint64', '18446744073709551615'],
  ['uint128', `0x${'0'.repeat(30)}ff`],
  ['bytes', '\0\xff'],
  ['middle', 'y'.repeat(300)],
  ['long', LONG],
]

function open(bytes: Buffer): Mmdb {
  const database = Mmdb.open(bytes)
  assert.ok(typeof database !== 'string', String(database))
  return database
}

test('values of every type in every kind of tree', () => {
  for (const recordSize of [24, 28, 32] as const) {
    for (const version of [4, 6] as const) {
      const other = encode({ country: { iso_code: 'FR' } })
      const networks = [
        { bits: bitsOf('10.1.0.0', 16, version), record: RECORD },
        { bits: bitsOf('10.2.3.4', 32, version), record: other },
      ]
      const database = open(makeMmdb(networks, recordSize, version))
      for (const [path, expected] of VALUES) {
        assert.equal(database.value(parseIp('10.1.2.3')!, path.split(' ')), expected, path)
      }
      const code = (address: string) => database.value(parseIp(address)!, ['country', 'iso_code'])
      assert.equal(code('10.2.3.4'), 'FR')
      assert.equal(code('10.2.3.5'), undefined)
      assert.equal(code('11.0.0.0'), undefined)
      assert.equal(code('::10.2.3.4'), version === 6 ? 'FR' : undefined)
      assert.equal(database.buildEpoch, '1700000000')
    }
  }
})

test('pointers', () => {
  // A text, then a map whose key and value point to texts, and a record that points to the map.
  const shared = encode('country')
  const map = Buffer.concat([Buffer.from([0xe1]), pointer(0), encode('IT')])
  const networks = [
    { bits: bitsOf('1.0.0.0', 8, 4), record: shared },
    { bits: bitsOf('2.0.0.0', 8, 4), record: map },
    { bits: bitsOf('3.0.0.0', 8, 4), record: pointer(shared.length) },
    { bits: bitsOf('4.0.0.0', 8, 4), record: encode({ pad: LONG }) },
    { bits: bitsOf('5.0.0.0', 8, 4), record: encode('far') },
    { bits: bitsOf('6.0.0.0', 8, 4), record: pointer(shared.length + map.length + 2 + 1 + 4 + 4 + LONG.length) },
  ]
  const database = open(makeMmdb(networks, 24, 4))
  assert.equal(database.value(parseIp('2.1.1.1')!, ['country']), 'IT')
  assert.equal(database.value(parseIp('3.1.1.1')!, ['country']), 'IT')
  assert.equal(database.value(parseIp('6.1.1.1')!, []), 'far')
})

test('what is no database, or a broken one', () => {
  const file = makeMmdb([{ bits: bitsOf('10.0.0.0', 8, 6), record: RECORD }], 28, 6)
  assert.equal(Mmdb.open(Buffer.from('text')), 'The MaxMind DB file contains invalid metadata')
  assert.equal(Mmdb.open(file.subarray(-300)), "The MaxMind DB file's search tree is corrupt")
  const version = makeMmdb([], 24, 4, { binary_format_major_version: { type: 'uint16', value: 3 } })
  assert.match(String(Mmdb.open(version)), /a format this library can't handle/)
  const small = makeMmdb([{ bits: bitsOf('10.0.0.0', 8, 6), record: encode({ a: { b: ['c', 'd'] } }) }], 28, 6)
  const dice = new Dice(1)
  for (let i = 0; i < 20000; i++) {
    const broken = Buffer.from(small)
    for (let n = dice.below(4); n >= 0; n--) broken[dice.below(broken.length)] = dice.below(256)
    const database = Mmdb.open(broken)
    if (typeof database !== 'string')
      database.value(parseIp(dice.below(2) === 0 ? '10.1.1.1' : '::1')!, ['a', 'b', '1'])
  }
})
