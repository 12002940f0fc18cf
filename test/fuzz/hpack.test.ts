/** Random and mutated header blocks against HPACK, from a fixed seed: nothing throws, and nothing grows beyond its limits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HpackDecoder } from '../../src/http/h2/wire/hpack-decoder.ts'
import { encodeField } from '../../src/http/h2/wire/hpack-encoder.ts'
import { huffmanDecode, huffmanEncode, huffmanSize } from '../../src/http/h2/wire/huffman.ts'

const ROUNDS = 20_000
let state = 4711

function below(limit: number): number {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
  return (state >>> 8) % limit
}

function randomText(length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) text += String.fromCharCode(below(3) === 0 ? below(256) : 0x61 + below(26))
  return text
}

test('texts survive Huffman coding', () => {
  for (let i = 0; i < ROUNDS; i++) {
    const text = randomText(below(40))
    const bytes = Buffer.from(huffmanEncode(text, huffmanSize(text)), 'latin1')
    assert.equal(huffmanDecode(bytes, 0, bytes.length), text)
  }
})

test('random bytes are decoded or refused, and a text has one encoding', () => {
  for (let i = 0; i < ROUNDS; i++) {
    const bytes = Buffer.from(Array.from({ length: below(12) }, () => (below(4) === 0 ? 0xff : below(256))))
    const text = huffmanDecode(bytes, 0, bytes.length)
    if (text === undefined) continue
    const encoded = huffmanEncode(text, huffmanSize(text))
    // What needs no padding may have a byte of it.
    const sent = bytes.toString('latin1')
    assert.equal(sent === `${encoded}\xff` ? encoded : sent, encoded)
  }
})

test('mutated blocks leave the decoder within its limits', () => {
  let accepted = 0
  for (let round = 0; round < ROUNDS / 20; round++) {
    const decoder = new HpackDecoder(below(2) === 0 ? 4096 : 128)
    let decoded = 0
    let size = 0
    const to = {
      onField(name: string, _hash: number, value: string) {
        decoded += name.length + value.length
      },
    }
    for (let i = 0; i < 20; i++) {
      let text = ''
      for (let n = below(6); n >= 0; n--) {
        text +=
          below(4) === 0
            ? String.fromCharCode(0x80 | below(80))
            : encodeField(randomText(below(8)), randomText(below(30)))
      }
      const block = Buffer.from(text, 'latin1')
      for (let n = below(4); n > 0 && block.length > 0; n--) block[below(block.length)] = below(256)
      size += block.length
      if (!decoder.decode(block, 0, block.length, to)) break
      accepted++
      assert.ok(decoder.tableSize <= 4096)
    }
    // An index of one byte stands for an entry of at most the table's size.
    assert.ok(decoded <= size * 4096)
  }
  assert.ok(accepted > ROUNDS / 100)
})
