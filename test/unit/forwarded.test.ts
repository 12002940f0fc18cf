/** The address that trusted proxies say a request came from. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardedPeer, parsePeer } from '../../src/http/message/forwarded.ts'
import { parseCidr } from '../../src/lib/cidr.ts'
import { formatIp, parseIp } from '../../src/lib/ip.ts'

const proxies = [parseCidr('127.0.0.0/8')!, parseCidr('10.0.0.1')!]

function forwarded(lists: readonly string[], recursive = false, from = '127.0.0.1'): string {
  return formatIp(forwardedPeer({ bytes: parseIp(from)!, port: 1 }, lists, proxies, recursive).bytes)
}

test('the last address counts, or with recursion the last that is not trusted', () => {
  assert.equal(forwarded(['192.0.2.1, 10.0.0.1']), '10.0.0.1')
  assert.equal(forwarded(['192.0.2.1, 10.0.0.1 , '], true), '192.0.2.1')
  assert.equal(forwarded(['192.0.2.9, 192.0.2.1, 10.0.0.1'], true), '192.0.2.1')
  assert.equal(forwarded(['10.0.0.1,127.0.0.2'], true), '10.0.0.1')
  assert.equal(forwarded(['192.0.2.1', '10.0.0.1'], true), '192.0.2.1')
})

test('nobody else is believed, and nothing unreadable', () => {
  assert.equal(forwarded(['192.0.2.1'], true, '192.0.2.7'), '192.0.2.7')
  assert.equal(forwarded(['nonsense']), '127.0.0.1')
  assert.equal(forwarded(['nonsense, 10.0.0.1'], true), '10.0.0.1')
  assert.equal(forwarded(['']), '127.0.0.1')
})

test('addresses may have ports', () => {
  assert.deepEqual(parsePeer('1.2.3.4:80'), { bytes: '\x01\x02\x03\x04', port: 80 })
  assert.deepEqual(parsePeer('[::1]:81'), { bytes: `${'\0'.repeat(15)}\x01`, port: 81 })
  assert.deepEqual(parsePeer('::1'), { bytes: `${'\0'.repeat(15)}\x01`, port: 0 })
  for (const bad of ['1.2.3.4:', '1.2.3.4:0', '1.2.3.4:65536', '[1.2.3.4]', 'x', '[::1']) {
    assert.equal(parsePeer(bad), undefined, bad)
  }
})
