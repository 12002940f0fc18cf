/**
 * Feeds a message to an incremental reader cut into pieces in every way that matters: whole, in two and three pieces at
 * every position, and byte by byte. A parser must not be able to tell the difference.
 */
import assert from 'node:assert/strict'

/** Calls `read` for every way to cut `text` and asserts that each gives what the uncut text gives; returns that. */
export function atEveryCut<T>(text: string, read: (pieces: readonly Buffer[]) => T): T {
  const bytes = Buffer.from(text, 'latin1')
  const whole = read([bytes])
  assert.deepEqual(read(Array.from(bytes, (byte) => Buffer.of(byte))), whole, 'byte by byte')
  const step = bytes.length > 300 ? 7 : 1
  for (let i = 0; i <= bytes.length; i += step) {
    for (let j = i; j <= bytes.length; j += step) {
      const pieces = [bytes.subarray(0, i), bytes.subarray(i, j), bytes.subarray(j)]
      assert.deepEqual(read(pieces), whole, `cut at ${i} and ${j}`)
    }
  }
  return whole
}

/** Gives a parser the growing prefix that a connection would hold, at a new place each time, until it has an answer. */
export function feed(pieces: readonly Buffer[], parse: (buffer: Buffer, start: number, end: number) => number): number {
  const total = Buffer.concat(pieces as Buffer[])
  let length = 0
  for (let i = 0; i < pieces.length; i++) {
    length += pieces[i]!.length
    const start = i % 3
    const buffer = Buffer.concat([Buffer.alloc(start), total.subarray(0, length), Buffer.from('\0')])
    const code = parse(buffer, start, start + length)
    if (code !== 0) return code
  }
  return 0
}
