/** The cached clock and HTTP dates: formats, local time zones, once a second. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Clock } from '../../src/lib/clock.ts'
import { formatCookieDate, formatHttpDate, parseHttpDate } from '../../src/lib/http-date.ts'

const MOMENT = Date.UTC(2026, 10, 2, 4, 7, 9)

function clockAt(offset: number) {
  const source = {
    at: MOMENT + 123.7,
    asked: 0,
    wall: () => source.at,
    monotonic: () => 77.9,
    offsetMinutes: () => {
      source.asked++
      return offset
    },
  }
  return { source, clock: new Clock(source) }
}

test('formats every kind of time in UTC', () => {
  const { clock } = clockAt(0)
  assert.equal(clock.now, MOMENT + 123)
  assert.equal(clock.seconds, MOMENT / 1000)
  assert.equal(clock.monotonic, 77)
  assert.equal(clock.logTime, '02/Nov/2026:04:07:09 +0000')
  assert.equal(clock.isoTime, '2026-11-02T04:07:09+00:00')
  assert.equal(clock.errorTime, '2026/11/02 04:07:09')
  assert.equal(clock.syslogTime, 'Nov  2 04:07:09')
  assert.equal(clock.httpDate, 'Mon, 02 Nov 2026 04:07:09 GMT')
})

test('formats local time ahead of and behind UTC', () => {
  assert.equal(clockAt(330).clock.logTime, '02/Nov/2026:09:37:09 +0530')
  assert.equal(clockAt(-570).clock.isoTime, '2026-11-01T18:37:09-09:30')
  assert.equal(clockAt(-570).clock.errorTime, '2026/11/01 18:37:09')
  assert.equal(clockAt(-570).clock.httpDate, 'Mon, 02 Nov 2026 04:07:09 GMT')
})

test('recomputes at most once a second, and only after update', () => {
  const { clock, source } = clockAt(60)
  const first = clock.logTime
  source.at += 1000
  assert.equal(clock.logTime, first)
  clock.update()
  assert.notEqual(clock.logTime, first)
  source.at += 100
  clock.update()
  assert.equal(clock.isoTime, '2026-11-02T05:07:10+01:00')
  assert.equal(source.asked, 2)
})

test('a new source forgets what was cached', () => {
  const { clock } = clockAt(0)
  assert.equal(clock.logTime, '02/Nov/2026:04:07:09 +0000')
  clock.setSource(clockAt(60).source)
  assert.equal(clock.logTime, '02/Nov/2026:05:07:09 +0100')
})

test('parses the three HTTP date formats', () => {
  const expected = Date.UTC(1994, 10, 6, 8, 49, 37) / 1000
  assert.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT'), expected)
  assert.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT'), expected)
  assert.equal(parseHttpDate('Sun Nov  6 08:49:37 1994'), expected)
  assert.equal(parseHttpDate('Sun Nov 16 08:49:37 1994'), expected + 10 * 86400)
  assert.equal(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT'), Date.UTC(2024, 1, 29) / 1000)
  assert.equal(parseHttpDate('Sunday, 06-Nov-37 08:49:37 GMT'), Date.UTC(2037, 10, 6, 8, 49, 37) / 1000)
})

test('refuses what is not a date', () => {
  for (const text of [
    '',
    'now',
    'Sun, 06 Nov 1994',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:37 GMT',
    'Sun, 31 Nov 1994 08:49:37 GMT',
    'Wed, 29 Feb 2023 00:00:00 GMT',
    'Thu, 29 Feb 1900 00:00:00 GMT',
    'Sun, 06 Xov 1994 08:49:37 GMT',
    'Sun, 6 Nov 1994 08:49:37 GMT',
  ]) {
    assert.equal(parseHttpDate(text), -1, text)
  }
})

test('formats and parses back', () => {
  for (let at = 0; at < 4e9; at += 12345677) assert.equal(parseHttpDate(formatHttpDate(at)), at)
  assert.equal(formatHttpDate(-5), 'Thu, 01 Jan 1970 00:00:00 GMT')
  assert.equal(formatCookieDate(MOMENT / 1000), 'Mon, 02-Nov-26 04:07:09 GMT')
  assert.equal(formatCookieDate(Date.UTC(2040, 0, 1) / 1000), 'Sun, 01-Jan-2040 00:00:00 GMT')
})
