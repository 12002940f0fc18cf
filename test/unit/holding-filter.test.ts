/** Filters that hold bytes: whoever stalls first, readiness reaches the one nearest to the client first. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodySink, type Producer } from '../../src/http/message/body.ts'
import type { Request } from '../../src/http/request/request.ts'
import { HoldingFilter } from '../../src/http/response/holding-filter.ts'

class End extends BodySink {
  write(): boolean {
    return true
  }
}

const told: string[] = []

class Holder extends HoldingFilter {
  readonly #name: string

  constructor(name: string, next: BodySink, r: Request) {
    super(next, r)
    this.#name = name
  }

  write(): boolean {
    return this.stall()
  }

  onDrain(): void {
    told.push(this.#name)
    this.step()?.onDrain()
  }

  protected drop(): void {
    told.push(`drop ${this.#name}`)
  }
}

const producer: Producer = {
  onDrain: () => told.push('producer'),
  onAbort: () => told.push('abort'),
}

/** A chain of three filters, outermost last, and as much of a request as they use. */
function chain(): { readonly r: { producer: Producer | undefined }; readonly filters: readonly Holder[] } {
  const r: { producer: Producer | undefined } = { producer }
  told.length = 0
  // Filters use nothing of a request but its producer.
  const request = r as unknown as Request
  const inner = new Holder('inner', new End(), request)
  const middle = new Holder('middle', inner, request)
  return { r, filters: [inner, middle, new Holder('outer', middle, request)] }
}

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
]

for (const order of ORDERS) {
  test(`stalled in the order ${order.join(' ')}`, () => {
    const { r, filters } = chain()
    for (const i of order) assert.equal(filters[i]!.write(), false)
    r.producer?.onDrain()
    assert.deepEqual(told, ['inner', 'middle', 'outer', 'producer'])
    assert.equal(r.producer, producer)
  })
}

test('one that steps back from the middle leaves the others in their places', () => {
  const { r, filters } = chain()
  for (const filter of filters) filter.write()
  filters[1]!.onDrain()
  assert.deepEqual(told, ['middle', 'outer', 'producer'])
  told.length = 0
  r.producer?.onDrain()
  assert.deepEqual(told, ['inner', 'producer'])
})

test('an abort reaches all of them and the producer', () => {
  const { r, filters } = chain()
  for (const filter of filters) filter.write()
  r.producer?.onAbort()
  assert.deepEqual(told, ['drop inner', 'drop middle', 'drop outer', 'abort'])
  assert.equal(r.producer, undefined)
})
