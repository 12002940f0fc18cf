/** nginx's numbers, sizes and times. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  parseFixedPoint,
  parseMilliseconds,
  parseNumber,
  parseOffset,
  parseSeconds,
  parseSize,
} from '../../src/config/units.ts'

function table(
  parse: (text: string) => number | undefined,
  expected: Readonly<Record<string, number | undefined>>,
): void {
  for (const [text, value] of Object.entries(expected)) assert.equal(parse(text), value, JSON.stringify(text))
}

test('numbers', () => {
  table(parseNumber, {
    '0': 0,
    '007': 7,
    '': undefined,
    '-1': undefined,
    '+1': undefined,
    '1.5': undefined,
    ' 1': undefined,
  })
  table(parseNumber, {
    '9223372036854775807': 2 ** 63,
    '9223372036854775808': undefined,
    '1e3': undefined,
    '0x1': undefined,
  })
})

test('sizes', () => {
  table(parseSize, {
    '1': 1,
    '1k': 1024,
    '1K': 1024,
    '2m': 2097152,
    '2M': 2097152,
    '1g': undefined,
    k: undefined,
    '': undefined,
  })
  table(parseSize, {
    '8796093022207m': 8796093022207 * 1048576,
    '8796093022208m': undefined,
    '1 k': undefined,
    '1kb': undefined,
  })
})

test('offsets', () => {
  table(parseOffset, {
    '1g': 1073741824,
    '1G': 1073741824,
    '5m': 5242880,
    '8589934592g': undefined,
    g: undefined,
    '-1': undefined,
  })
})

test('times in milliseconds', () => {
  table(parseMilliseconds, {
    '0': 0,
    '60': 60000,
    '60s': 60000,
    '1m': 60000,
    '500ms': 500,
    '1h30m': 5400000,
    '1s5ms': 1005,
  })
  table(parseMilliseconds, { '1d': 86400000, '1w': 604800000, '1M': undefined, '1y': undefined, '1m30': 90000 })
  table(parseMilliseconds, { '1h 30m': 5400000, '1 ': 1000, '1 2': 3000, ' ': undefined, '': undefined, s: undefined })
  table(parseMilliseconds, {
    '1m1h': undefined,
    '1s1s': undefined,
    '1ms1s': undefined,
    '5x': undefined,
    '1.5s': undefined,
  })
  table(parseMilliseconds, {
    '1hs': 3600000,
    '-1': undefined,
    '9223372036854775807': undefined,
    '9223372036854775s': 9223372036854775000,
  })
})

test('times in seconds', () => {
  table(parseSeconds, {
    '1': 1,
    '1y': 31536000,
    '1M': 2592000,
    '1y1M1w1d1h1m1s': 34822861,
    '5ms': undefined,
    '1M1y': undefined,
  })
  table(parseSeconds, { '1m 30s': 90, '1s ': 1, '1y ': 31536000, '1 y': undefined })
})

test('fixed point', () => {
  const parse = (text: string) => parseFixedPoint(text, 2)
  table(parse, {
    '1': 100,
    '1.5': 150,
    '1.25': 125,
    '.5': 50,
    '1.': 100,
    '1.255': undefined,
    '': undefined,
    '.': undefined,
    a: undefined,
  })
})
