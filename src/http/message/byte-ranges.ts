/** The `Range` field (RFC 9110, section 14.2), read as strictly and as leniently as nginx does. */

/** Bytes from `start` to before `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** The field cannot be met: 416. */
export const UNSATISFIABLE = -1
/** The field is ignored: the whole body is sent. */
export const IGNORED = 0

/** Largest number that nginx's 64-bit offsets hold. */
const OFFSET_MAX = 2 ** 63
/** What nginx takes one part of a multipart response to cost, and how much more than the whole it may be. */
const PART_COST = 256
const PARTS_SLACK = 4096

/**
 * Reads the ranges of `field` (which starts with `bytes=`) for a body of `length` bytes. `max` is `max_ranges`, or
 * undefined when it was not set: then requests that ask for more than the whole in pieces are ignored.
 */
export function parseByteRanges(
  field: string,
  length: number,
  max: number | undefined,
): readonly ByteRange[] | typeof UNSATISFIABLE | typeof IGNORED {
  const ranges: ByteRange[] = []
  let total = 0
  for (const spec of field.slice('bytes='.length).split(',')) {
    const range = parseRange(spec, length)
    if (range === undefined) return UNSATISFIABLE
    if (range.start < range.end) {
      ranges.push(range)
      total += range.end - range.start
      if (max !== undefined && ranges.length > max) return IGNORED
    } else if (range.start === 0) {
      return IGNORED
    }
  }
  if (ranges.length === 0) return UNSATISFIABLE
  if (ranges.length === 1) return ranges
  if (total > length) return IGNORED
  if (max === undefined && total + ranges.length * PART_COST > length + PARTS_SLACK) return IGNORED
  return ranges
}

const SPEC = /^ *(?:(\d+) *- *(\d+)?|-(\d+)) *$/

function parseRange(spec: string, length: number): ByteRange | undefined {
  const found = SPEC.exec(spec)
  if (found === null) return undefined
  const [, first, last, suffix] = found
  if (suffix !== undefined) {
    const count = Number(suffix)
    if (count >= OFFSET_MAX) return undefined
    return { start: count < length ? length - count : 0, end: length }
  }
  const start = Number(first)
  const end = last === undefined ? length : Math.min(Number(last) + 1, length)
  return start >= OFFSET_MAX || Number(last ?? 0) >= OFFSET_MAX ? undefined : { start, end }
}
