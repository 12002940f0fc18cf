/**
 * Whatever a client says first, reading it ends, stays inside of the bytes and answers with one of three outcomes; what
 * is found does not depend on where the bytes were cut. The seed is fixed so that a failure repeats.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientHello, HELLO_BROKEN, HELLO_DONE, HELLO_MORE, parseClientHello } from '../../src/net/client-hello.ts'
import { helloOf } from '../unit/client-hello-maker.ts'

const ROUNDS = 30_000
let state = 20261120

function below(n: number): number {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
  return (state >>> 8) % n
}

const corpus = [
  await helloOf({ servername: 'a.example', ALPNProtocols: ['h2'] }),
  await helloOf({ maxVersion: 'TLSv1.2', servername: 'b' }),
  await helloOf({ minVersion: 'TLSv1.3' }),
]

function mutated(): Buffer {
  const bytes = Buffer.from(corpus[below(corpus.length)]!)
  for (let n = below(6); n >= 0; n--) {
    const at = below(bytes.length)
    if (below(3) === 0) bytes.copyWithin(at, below(bytes.length), bytes.length)
    else bytes[at] = below(2) === 0 ? below(256) : bytes[at]! ^ (1 << below(8))
  }
  return bytes.subarray(0, below(4) === 0 ? below(bytes.length) : bytes.length)
}

test('mutated hellos', () => {
  const hello = new ClientHello()
  const again = new ClientHello()
  const outcomes = new Set<number>()
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutated()
    const outcome = parseClientHello(bytes, 0, bytes.length, hello)
    outcomes.add(outcome)
    // Elsewhere in a larger buffer, with other bytes around.
    const within = Buffer.concat([Buffer.alloc(below(9), 0xff), bytes, Buffer.alloc(9, 0xff)])
    const start = within.length - bytes.length - 9
    assert.equal(parseClientHello(within, start, start + bytes.length, again), outcome)
    if (outcome === HELLO_DONE) assert.deepEqual({ ...again }, { ...hello })
    // What is broken was broken before, or not complete.
    const cut = parseClientHello(bytes, 0, below(bytes.length + 1), again)
    if (cut === HELLO_DONE) assert.equal(outcome, HELLO_DONE)
    if (cut === HELLO_BROKEN) assert.equal(outcome, HELLO_BROKEN)
  }
  assert.deepEqual([...outcomes].sort(), [HELLO_MORE, HELLO_DONE, HELLO_BROKEN])
})
