/** HPACK: the examples of RFC 7541, appendix C, the limits of both directions, and what is malformed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FieldReceiver, HpackDecoder } from '../../src/http/h2/wire/hpack-decoder.ts'
import { encodeField, encodeNeverIndexed, encodeStatus } from '../../src/http/h2/wire/hpack-encoder.ts'
import { STATIC_NAMES, STATIC_VALUES } from '../../src/http/h2/wire/hpack-table.ts'
import { huffmanDecode, huffmanEncode, huffmanSize } from '../../src/http/h2/wire/huffman.ts'
import { hashName } from '../../src/http/message/field-names.ts'

function decode(decoder: HpackDecoder, block: Buffer): string[] | string {
  const fields: string[] = []
  const to: FieldReceiver = {
    onField(name, hash, value) {
      assert.equal(hash, hashName(name))
      fields.push(`${name}: ${value}`)
    },
  }
  // The block stands somewhere in a larger buffer.
  const buffer = Buffer.concat([Buffer.from('??'), block, Buffer.from('??')])
  return decoder.decode(buffer, 2, 2 + block.length, to) ? fields : decoder.problem
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}

test('single fields (C.2)', () => {
  const decoder = new HpackDecoder(4096)
  assert.deepEqual(decode(decoder, hex('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572')), [
    'custom-key: custom-header',
  ])
  assert.equal(decoder.tableSize, 55)
  assert.deepEqual(decode(decoder, hex('040c 2f73 616d 706c 652f 7061 7468')), [':path: /sample/path'])
  assert.deepEqual(decode(decoder, hex('1008 7061 7373 776f 7264 0673 6563 7265 74')), ['password: secret'])
  assert.equal(decoder.tableSize, 55)
  assert.deepEqual(decode(decoder, hex('82')), [':method: GET'])
})

const requests = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
  [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
]
for (const [name, blocks] of [
  [
    'requests without Huffman coding (C.3)',
    [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ],
  ],
  [
    'requests with Huffman coding (C.4)',
    [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ],
  ],
] as const) {
  test(name, () => {
    const decoder = new HpackDecoder(4096)
    const sizes = blocks.map((block, i) => {
      assert.deepEqual(decode(decoder, hex(block)), requests[i])
      return decoder.tableSize
    })
    assert.deepEqual(sizes, [57, 110, 164])
  })
}

const DATE = 'date: Mon, 21 Oct 2013 20:13:2'
const COOKIE = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'
const responses = [
  [':status: 302', 'cache-control: private', `${DATE}1 GMT`, 'location: https://www.example.com'],
  [':status: 307', 'cache-control: private', `${DATE}1 GMT`, 'location: https://www.example.com'],
  [
    ':status: 200',
    'cache-control: private',
    `${DATE}2 GMT`,
    'location: https://www.example.com',
    'content-encoding: gzip',
    COOKIE,
  ],
]
for (const [name, blocks] of [
  [
    'responses without Huffman coding, in a small table (C.5)',
    [
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e
       1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d
       4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572
       7369 6f6e 3d31`,
    ],
  ],
  [
    'responses with Huffman coding, in a small table (C.6)',
    [
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b
       97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf
       cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ],
  ],
] as const) {
  test(name, () => {
    const decoder = new HpackDecoder(256)
    const sizes = blocks.map((block, i) => {
      assert.deepEqual(decode(decoder, hex(block)), responses[i])
      return decoder.tableSize
    })
    assert.deepEqual(sizes, [222, 222, 215])
  })
}

test('the static table has its 61 entries', () => {
  const decoder = new HpackDecoder(0)
  const all = Buffer.from(STATIC_NAMES.map((_, i) => 0x80 | (i + 1)))
  assert.deepEqual(
    decode(decoder, all),
    STATIC_NAMES.map((name, i) => `${name}: ${STATIC_VALUES[i]}`),
  )
  assert.deepEqual([STATIC_NAMES.length, STATIC_NAMES[60], STATIC_NAMES[31]], [61, 'www-authenticate', 'cookie'])
})

const MALFORMED: readonly (readonly [why: string, block: string, problem: string])[] = [
  ['index 0', '80', 'invalid table index 0'],
  ['an index behind the static table', 'be', 'invalid table index 62'],
  ['a name by an index that is not there', '7e 01 61', 'invalid table index 62'],
  ['an integer without an end', 'ff', 'too large integer'],
  ['an integer that is cut', 'ff 80', 'too large integer'],
  ['a too large integer', 'ff ff ff ff ff ff 01', 'too large integer'],
  ['an integer that would overflow', 'ff ff ff ff ff ff ff ff ff 7f', 'too large integer'],
  ['a name that is missing', '40', 'malformed text'],
  ['a value that is missing', '00 01 61', 'malformed text'],
  ['a value that is cut', '00 01 61 03 62 62', 'malformed text'],
  ['a length that is too large', '00 7f ff ff ff ff ff 7f', 'malformed text'],
  ['Huffman text with a byte of padding', '00 01 61 82 1f ff', 'malformed text'],
  ['Huffman text padded with zeros', '00 01 61 81 18', 'malformed text'],
  ['Huffman text with the end of text', '00 01 61 84 ff ff ff ff', 'malformed text'],
  ['a table larger than announced', '3f e2 1f', 'too large dynamic table size update'],
  ['a size update that is too large an integer', '3f ff ff ff ff ff 7f', 'too large integer'],
  ['a size update behind a field', '82 20', 'dynamic table size update inside of a header block'],
]
for (const [why, block, problem] of MALFORMED) {
  test(`refuses ${why}`, () => assert.equal(decode(new HpackDecoder(4096), hex(block)), problem))
}

test('a size update empties the table, and the size may grow again', () => {
  const decoder = new HpackDecoder(4096)
  decode(decoder, hex('4001 6101 62'))
  assert.deepEqual(decode(decoder, hex('20 3f e1 1f 82')), [':method: GET'])
  assert.equal(decoder.tableSize, 0)
  assert.equal(decode(decoder, hex('be')), 'invalid table index 62')
  assert.deepEqual(decode(decoder, hex('4001 6101 62 be')), ['a: b', 'a: b'])
})

test('an entry larger than the table empties it and is no error', () => {
  const decoder = new HpackDecoder(64)
  decode(decoder, hex('4001 6101 62'))
  assert.equal(decoder.tableSize, 34)
  const long = Buffer.concat([hex('4001 63 28'), Buffer.alloc(40, 0x64)])
  assert.deepEqual(decode(decoder, long), [`c: ${'d'.repeat(40)}`])
  assert.equal(decoder.tableSize, 0)
})

test('a name may come from the entry that makes room for its successor', () => {
  const decoder = new HpackDecoder(40)
  decode(decoder, hex('4003 616263 01 64'))
  assert.deepEqual(decode(decoder, hex('7e 01 65 be')), ['abc: e', 'abc: e'])
})

test('the table goes round and round', () => {
  const decoder = new HpackDecoder(4096)
  for (let i = 0; i < 1000; i++) {
    const value = String(i).padStart(4, '0')
    assert.deepEqual(decode(decoder, Buffer.concat([hex('4001 78 04'), Buffer.from(value)])), [`x: ${value}`])
    assert.deepEqual(decode(decoder, hex(i === 0 ? 'be' : 'bebf')).length, i === 0 ? 1 : 2)
  }
  assert.ok(decoder.tableSize <= 4096)
  assert.deepEqual(decode(decoder, hex('bf')), ['x: 0998'])
})

test('Huffman codes of all bytes', () => {
  const all = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte))
  const encoded = Buffer.from(huffmanEncode(all, huffmanSize(all)), 'latin1')
  assert.equal(encoded.length, huffmanSize(all))
  assert.equal(huffmanDecode(encoded, 0, encoded.length), all)
  assert.equal(huffmanDecode(encoded, 0, 0), '')
})

test('fields are encoded by index, by name, and with Huffman coding where that is shorter', () => {
  const bytes = (text: string): string => Buffer.from(text, 'latin1').toString('hex')
  assert.equal(bytes(encodeField(':method', 'GET')), '82')
  assert.equal(bytes(encodeField(':path', '/sample/path')), '048961 03a6ba0ac5634cff'.replace(' ', ''))
  assert.equal(bytes(encodeField(':authority', 'www.example.com')), '018cf1e3c2e5f23a6ba0ab90f4ff')
  assert.equal(bytes(encodeField('x', '\x01\x02')), '0001780201 02'.replace(' ', ''))
  assert.equal(bytes(encodeField('www-authenticate', 'a')), '0f2e0161')
  assert.equal(bytes(encodeNeverIndexed('authorization', 'a')), '1f080161')
  assert.equal(bytes(encodeStatus(200)), '88')
  assert.equal(bytes(encodeStatus(302)), '08826402')
  assert.equal(bytes(encodeStatus(200)), '88')
})

test('what is encoded is decoded to the same, remembered or not', () => {
  const decoder = new HpackDecoder(0)
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 700; i++) {
      const field = [`name-${i}`, `value ${i % 100} ${'v'.repeat(i)}`] as const
      assert.deepEqual(decode(decoder, Buffer.from(encodeField(...field), 'latin1')), [field.join(': ')])
      const same = ['name', field[1]] as const
      assert.deepEqual(decode(decoder, Buffer.from(encodeNeverIndexed(...same), 'latin1')), [same.join(': ')])
    }
  }
})
