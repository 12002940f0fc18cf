/** The format of cache files, bit for bit, and what varies. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CacheKey, decodeHeader, encodeStart, fileNameOf, keyTextOf } from '../../src/http/cache/cache-file.ts'
import { normalizesVary, normalizeVary, variantOf } from '../../src/http/cache/vary.ts'
import { HEAD, meta } from './cache-maker.ts'

const KEY = CacheKey.of('http://example.com/a?b=c')
const FULL = meta({
  validSec: 1_900_000_000,
  validMsec: 7,
  updatingSec: 60,
  errorSec: 2 ** 33 + 1,
  lastModified: -1,
  date: 1_800_000_000,
  etag: '"abc"',
  vary: 'Accept-Encoding',
})
const FILE = Buffer.concat([encodeStart(FULL, KEY, Buffer.from(HEAD), 'v'.repeat(16)), Buffer.from('body')])

test('the name of a file is as nginx makes it', () => {
  const { hex } = CacheKey.of('')
  assert.equal(hex, 'd41d8cd98f00b204e9800998ecf8427e')
  assert.equal(fileNameOf('/c', [1, 2], hex), '/c/e/27/d41d8cd98f00b204e9800998ecf8427e')
  assert.equal(fileNameOf('/c', [2, 1, 2], hex), '/c/7e/2/84/d41d8cd98f00b204e9800998ecf8427e')
  assert.equal(fileNameOf('/c', [], hex), '/c/d41d8cd98f00b204e9800998ecf8427e')
})

test('a header says what was written', () => {
  const header = decodeHeader(FILE, FILE.length, FILE.length)
  assert.ok(typeof header !== 'string')
  const { tags: _, ...written } = FULL
  const headerStart = 336 + 6 + KEY.text.length + 1
  assert.deepEqual(header, {
    ...written,
    crc: KEY.crc,
    headerStart,
    bodyStart: headerStart + HEAD.length,
    variant: 'v'.repeat(16),
  })
  assert.equal(keyTextOf(FILE, header), KEY.text)
})

test('a field that has no room is stored as none', () => {
  const bytes = encodeStart(meta({ etag: `"${'x'.repeat(127)}"` }), KEY, Buffer.from(HEAD), '')
  const header = decodeHeader(bytes, bytes.length, bytes.length)
  assert.ok(typeof header !== 'string')
  assert.equal(header.etag, '')
})

test('a file that was cut off anywhere before its body, or has any flipped bit, is no trap', () => {
  const bodyStart = FILE.length - 4
  for (let size = 0; size < bodyStart; size++) {
    const header = decodeHeader(FILE.subarray(0, size), size, size)
    assert.equal(typeof header, 'string', `${size} bytes`)
  }
  for (let at = 0; at < bodyStart; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = Buffer.from(FILE)
      flipped[at] = flipped[at]! ^ (1 << bit)
      const header = decodeHeader(flipped, flipped.length, flipped.length)
      if (typeof header === 'string') continue
      assert.ok(header.bodyStart <= flipped.length)
      assert.ok(header.headerStart <= header.bodyStart)
      keyTextOf(flipped, header)
    }
  }
})

test('a variant has the name that nginx gives it', () => {
  const values = { varyValue: (name: string) => (name === 'accept-encoding' ? 'gzip' : 'x,y') }
  const md5 = variantOf(KEY.md5, 'Accept-Encoding, X-One', values)
  const text = Buffer.concat([Buffer.from(KEY.md5, 'latin1'), Buffer.from('accept-encoding:gzip\r\nx-one:x,y\r\n')])
  assert.equal(md5.toString('hex'), CacheKey.of(text.latin1Slice()).hex)
  assert.equal(variantOf(KEY.md5, ' ,accept-encoding ,,X-ONE,', values).equals(md5), true)
})

test('spaces and commas of three fields make no difference', () => {
  assert.equal(normalizesVary('accept-encoding') && normalizesVary('accept-language'), true)
  assert.equal(normalizesVary('cookie'), false)
  assert.equal(normalizeVary(' gzip, br ,,deflate'), 'gzip,br,deflate')
})
