/** What a zone begins with is loaded once, also when the first thread that does so ends in the middle. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KEYVAL_KIND, KeyvalRecords } from '../../src/shared/keyval-records.ts'
import { TrafficRecords, trafficRowsSize } from '../../src/shared/traffic-records.ts'
import { Zone } from '../../src/shared/zone.ts'

test('whoever comes after a thread that ended while it loaded loads again', () => {
  const zone = Zone.create('one', 65536, KEYVAL_KIND)
  const first = new KeyvalRecords(zone, 'string')
  assert.throws(() => first.loadOnce(() => assert.fail('the end')), /the end/)
  let loads = 0
  for (let thread = 0; thread < 3; thread++) new KeyvalRecords(zone, 'string').loadOnce(() => loads++)
  assert.equal(loads, 1)
})

test('so it is with what nginx-module-vts has counted', () => {
  const keys = Zone.create('keys', 65536, 'vts')
  const rows = Zone.create('rows', trafficRowsSize(65536, 8), 'vts rows')
  const records = (): TrafficRecords => new TrafficRecords(keys, rows, 8)
  assert.throws(() => records().loadOnce(() => assert.fail('the end')), /the end/)
  let loads = 0
  for (let thread = 0; thread < 3; thread++) records().loadOnce(() => loads++)
  assert.equal(loads, 1)
})
