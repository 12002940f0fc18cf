/** Dates by a format: every conversion, against what C gives. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { strftime } from '../../src/lib/strftime.ts'

/** Friday. */
const MOMENT = Date.UTC(2026, 0, 2, 15, 4, 5)

const EXPECTED: Readonly<Record<string, string>> = {
  '%a %A %b %B %h': 'Fri Friday Jan January Jan',
  '%c|%D|%F|%T|%R|%r|%x|%X':
    'Fri Jan  2 15:04:05 2026|01/02/26|2026-01-02|15:04:05|15:04|03:04:05 PM|01/02/26|15:04:05',
  '%C %y %Y %g %G %V': '20 26 2026 26 2026 01',
  '%d %e %j %m %u %w %U %W': '02  2 002 01 5 5 00 00',
  '%H %I %k %l %M %S %p %P %s': '15 03 15  3 04 05 PM pm 1767366245',
  '%z %Z %% %n%t.%Ey%q': '+0000 GMT % \n\t.26%q',
}

for (const [format, expected] of Object.entries(EXPECTED)) {
  test(JSON.stringify(format), () => assert.equal(strftime(format, MOMENT, true), expected))
}

test('weeks at the turn of a year', () => {
  assert.equal(strftime('%G-%V %U %W', Date.UTC(2027, 0, 1), true), '2026-53 00 00')
  assert.equal(strftime('%G-%V %U %W', Date.UTC(2024, 11, 30), true), '2025-01 52 53')
})
