/** Addresses and ranges between text and bytes. */
import assert from 'node:assert/strict'
import { isIPv6 } from 'node:net'
import { test } from 'node:test'
import { findCidr, matchCidr, parseCidr, UNIX_CIDR } from '../../src/lib/cidr.ts'
import { formatIp, parseIp, unmapIp } from '../../src/lib/ip.ts'

const hex = (bytes: string | undefined) => bytes && Buffer.from(bytes, 'latin1').toString('hex')

test('parses IPv4', () => {
  assert.equal(hex(parseIp('127.0.0.1')), '7f000001')
  assert.equal(hex(parseIp('255.255.255.255')), 'ffffffff')
  assert.equal(hex(parseIp('010.1.002.3')), '0a010203')
  for (const text of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2..4', '1.2.3.', '1.2.3.4 ', 'a.b.c.d', '+1.2.3.4']) {
    assert.equal(parseIp(text), undefined, text)
  }
})

test('parses IPv6', () => {
  assert.equal(hex(parseIp('::')), '00'.repeat(16))
  assert.equal(hex(parseIp('::1')), '00'.repeat(15) + '01')
  assert.equal(hex(parseIp('1::')), '0001' + '00'.repeat(14))
  assert.equal(hex(parseIp('2001:DB8::a:0:1')), '20010db800000000' + '0000000a00000001')
  assert.equal(hex(parseIp('1:2:3:4:5:6:7:8')), '00010002000300040005000600070008')
  assert.equal(hex(parseIp('::ffff:1.2.3.4')), '00000000000000000000ffff01020304')
  assert.equal(hex(parseIp('1:2:3:4:5:6:1.2.3.4')), '00010002000300040005000601020304')
  for (const text of [
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    '1::2::3',
    '12345::',
    '::g',
    '1.2.3.4::',
    '[::1]',
    '::1%lo',
  ]) {
    assert.equal(parseIp(text), undefined, text)
  }
})

test('formats as nginx prints', () => {
  for (const [text, shown] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['::1.2.3.4', '::1.2.3.4'],
  ]) {
    assert.equal(formatIp(parseIp(text!)!), shown)
  }
})

test('every formatted address is valid and parses back', () => {
  let seed = 7
  const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.alloc(16)
    for (let i = 0; i < 16; i += 2) if (random() & 1) bytes.writeUInt16BE(random() & (random() & 1 ? 0xffff : 0xf), i)
    const text = formatIp(bytes.toString('latin1'))
    assert.ok(isIPv6(text), text)
    assert.equal(hex(parseIp(text)), bytes.toString('hex'))
  }
})

test('matches ranges', () => {
  const match = (range: string, address: string) => matchCidr(parseCidr(range)!, parseIp(address)!)
  assert.ok(match('10.0.0.0/8', '10.255.1.2'))
  assert.ok(!match('10.0.0.0/8', '11.0.0.0'))
  assert.ok(match('0.0.0.0/0', '200.1.2.3'))
  assert.ok(match('200.1.2.3', '200.1.2.3'))
  assert.ok(!match('200.1.2.3', '200.1.2.2'))
  assert.ok(match('192.168.1.128/25', '192.168.1.200'))
  assert.ok(!match('192.168.1.128/25', '192.168.1.127'))
  assert.ok(match('2001:db8::/33', '2001:db8:7fff::1'))
  assert.ok(!match('2001:db8::/33', '2001:db8:8000::1'))
  assert.ok(match('10.0.0.0/8', '::ffff:10.1.1.1'))
  assert.ok(!match('::/0', '10.0.0.1'))
})

test('refuses bad ranges and reports low bits', () => {
  for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/a', '10.0.0/8', '/8', 'x']) {
    assert.equal(parseCidr(text), undefined, text)
  }
  assert.equal(parseCidr('10.1.0.0/8')!.lowBits, true)
  assert.equal(parseCidr('10.0.0.0/8')!.lowBits, false)
  assert.equal(parseCidr('2001:db8::1/64')!.lowBits, true)
})

test('finds the first range of a list, sockets included', () => {
  const list = [parseCidr('10.0.0.0/8')!, UNIX_CIDR, parseCidr('::/0')!]
  assert.equal(findCidr(list, parseIp('10.1.1.1')!), 0)
  assert.equal(findCidr(list, ''), 1)
  assert.equal(findCidr(list, parseIp('fe80::1')!), 2)
  assert.equal(findCidr(list, parseIp('11.0.0.1')!), -1)
  assert.equal(unmapIp(parseIp('::ffff:1.2.3.4')!), parseIp('1.2.3.4'))
})
