/**
 * Values by ranges of IPv4 addresses. As in nginx the ranges are kept per block of 65536 addresses, and a range may
 * only be added where it overlaps nothing, lies inside one other, which it splits, or equals it, which it replaces.
 */

interface Range<V> {
  readonly start: number
  readonly end: number
  readonly value: V
}

/** What `add` met: nothing, the value of an equal range that was replaced, or a range in the way. */
export type RangeAdded<V> =
  | { readonly kind: 'ok' }
  | { readonly kind: 'replaced'; readonly old: V }
  | { readonly kind: 'overlaps'; readonly start: number; readonly end: number }

const BLOCK_BITS = 16
const BLOCK_LAST = 0xffff
const BLOCKS = 0x10000

/** Addresses are unsigned 32-bit numbers. */
export class RangeMap<V> {
  /** Sorted ranges by the upper half of their addresses. */
  readonly #blocks = new Map<number, Range<V>[]>()

  add(start: number, end: number, value: V): RangeAdded<V> {
    let outcome: RangeAdded<V> = { kind: 'ok' }
    for (let block = start >>> BLOCK_BITS; block <= end >>> BLOCK_BITS; block++) {
      const added = this.#addTo(block, { start: within(start, block), end: within(end, block), value })
      if (added.kind === 'overlaps') return added
      if (added.kind === 'replaced') outcome = added
    }
    return outcome
  }

  /** Removes a range; false when some block does not have exactly its part. */
  delete(start: number, end: number): boolean {
    let all = true
    for (let block = start >>> BLOCK_BITS; block <= end >>> BLOCK_BITS; block++) {
      const ranges = this.#blocks.get(block) ?? []
      const from = within(start, block)
      const to = within(end, block)
      const at = ranges.findIndex((range) => range.start === from && range.end === to)
      if (at >= 0) ranges.splice(at, 1)
      else all = false
    }
    return all
  }

  find(address: number): V | undefined {
    const ranges = this.#blocks.get(address >>> BLOCK_BITS)
    if (ranges === undefined) return undefined
    let low = 0
    let high = ranges.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const range = ranges[middle]!
      if (address < range.start) high = middle - 1
      else if (address > range.end) low = middle + 1
      else return range.value
    }
    return undefined
  }

  #addTo(block: number, range: Range<V>): RangeAdded<V> {
    let ranges = this.#blocks.get(block)
    if (ranges === undefined) {
      ranges = []
      this.#blocks.set(block, ranges)
    }
    // Files are mostly in order: the place is looked for from the end.
    let at = ranges.length
    while (at > 0 && ranges[at - 1]!.start > range.end) at--
    const there = ranges[at - 1]
    if (there === undefined || there.end < range.start) {
      ranges.splice(at, 0, range)
      return { kind: 'ok' }
    }
    if (range.start < there.start || range.end > there.end) {
      return { kind: 'overlaps', start: there.start, end: there.end }
    }
    const parts = [{ ...there, end: range.start - 1 }, range, { ...there, start: range.end + 1 }]
    ranges.splice(at - 1, 1, ...parts.filter(({ start, end }) => start <= end))
    const equal = there.start === range.start && there.end === range.end
    return equal ? { kind: 'replaced', old: there.value } : { kind: 'ok' }
  }
}

/** The address, or the nearest one in the block. */
function within(address: number, block: number): number {
  const first = block * BLOCKS
  return Math.min(Math.max(address, first), first + BLOCK_LAST)
}
