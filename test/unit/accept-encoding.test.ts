/** What Accept-Encoding says about each coding. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptedCodings } from '../../src/http/message/accept-encoding.ts'

test('qualities in thousandths', () => {
  const cases: readonly [string | undefined, number, number, number][] = [
    [undefined, 0, 0, 0],
    ['', 0, 0, 0],
    ['gzip, deflate, br, zstd', 1000, 1000, 1000],
    ['gzip;q=0.5', 0, 0, 500],
    ['gzip;q=0.05, br;q=0.005', 5, 0, 50],
    ['GZIP;Q=0.5', 0, 0, 500],
    ['gzip;q=1.000', 0, 0, 1000],
    ['gzip;q=1.001', 0, 0, 0],
    ['gzip;q=0.1234', 0, 0, 0],
    ['gzip;q=0', 0, 0, 0],
    ['gzip;q=0.', 0, 0, 0],
    ['gzip;q=', 0, 0, 0],
    ['gzip;q', 0, 0, 0],
    ['gzip;', 0, 0, 1000],
    ['gzip;level=1', 0, 0, 0],
    ['gzip ; q=0.5', 0, 0, 500],
    ['gzip;q=0, gzip', 0, 0, 0],
    ['deflate gzip', 0, 0, 1000],
    ['gzip deflate', 0, 0, 0],
    ['gzipgzip, xgzip', 0, 0, 0],
    ['gzipx,gzip', 0, 0, 1000],
    ['*', 0, 0, 0],
    ['*;q=0.5, identity;q=0.4, br;q=0.1', 100, 500, 500],
    ['*;q=0.5, identity;q=0.5', 0, 0, 0],
    ['*;q=0, identity;q=0', 0, 0, 0],
  ]
  for (const [text, br, zstd, gzip] of cases) assert.deepEqual(acceptedCodings(text), { br, zstd, gzip }, text)
})

test('many different fields and long ones are told apart', () => {
  for (let i = 0; i < 1000; i++) assert.equal(acceptedCodings(`x${i}, br;q=0.${i % 1000}`).br, Number(`0.${i}`) * 1000)
  const long = 'x, '.repeat(100)
  assert.equal(acceptedCodings(long + 'br').br, 1000)
  assert.equal(acceptedCodings(long + 'br;q=0').br, 0)
})
