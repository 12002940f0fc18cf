/** DNS messages: what is understood, what is believed, and that no bytes at all do harm. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type DnsResponse,
  encodeQuery,
  findingsOf,
  parseResponse,
  TYPE_A,
  TYPE_AAAA,
  TYPE_SRV,
} from '../../src/net/dns-message.ts'
import { address, encodeName, record, response, TYPES, u16 } from '../harness/dns.ts'

const query = (name: string, type: number): Buffer => Buffer.from(encodeQuery(7, name, type)!)

function parsed(bytes: Buffer, tcp = false): DnsResponse {
  const result = parseResponse(bytes, tcp)
  assert.ok(typeof result !== 'string', String(result))
  return result
}

const found = (bytes: Buffer): readonly string[] => findingsOf(parsed(bytes)).records.map((r) => r.address)

test('a query is the bytes of RFC 1035', () => {
  const bytes = encodeQuery(0x1234, 'a.bc', TYPE_AAAA)
  assert.equal(bytes?.toString('hex'), '12340100000100000000000001610262630000' + '1c0001')
})

test('names that cannot be asked for', () => {
  for (const name of ['', '.', 'a..b', '.a', 'a.', 'x'.repeat(64), `${'a.'.repeat(127)}a`, 'abcd.'.repeat(52)]) {
    assert.equal(encodeQuery(1, name, TYPE_A), undefined, name)
  }
  assert.ok(encodeQuery(1, `${'x'.repeat(63)}.b`, TYPE_A))
})

test('addresses of both families', () => {
  const four = response(query('a.test', TYPE_A), [address('a.test', '10.0.0.1'), address('A.TEST', '10.0.0.2', 5)])
  assert.deepEqual(found(four), ['10.0.0.1', '10.0.0.2'])
  assert.equal(findingsOf(parsed(four)).ttlS, 5)
  const six = response(query('a.test', TYPE_AAAA), [address('a.test', 'fe80::1')])
  assert.deepEqual(found(six), ['fe80::1'])
})

test('names with pointers', () => {
  const target = Buffer.concat([Buffer.from([3]), Buffer.from('www'), u16(0xc00c)])
  const alias = Buffer.concat([u16(0xc00c), u16(TYPES.CNAME), u16(1), u16(0), u16(9), u16(target.length), target])
  const at = 12 + 'a.test'.length + 2 + 4 + 12
  const owner = Buffer.concat([
    u16(0xc000 | at),
    u16(TYPE_A),
    u16(1),
    u16(0),
    u16(60),
    u16(4),
    Buffer.from([9, 8, 7, 6]),
  ])
  const bytes = response(query('a.test', TYPE_A), [alias, owner])
  assert.deepEqual(found(bytes), ['9.8.7.6'])
  assert.equal(findingsOf(parsed(bytes)).cname, 'www.a.test')
})

test('records of names that nobody asked for are not believed', () => {
  const bytes = response(query('a.test', TYPE_A), [
    address('bank.test', '6.6.6.6'),
    record('a.test', TYPES.CNAME, 60, encodeName('b.test')),
    address('b.test', '1.1.1.1'),
    record('bank.test', TYPES.CNAME, 60, encodeName('c.test')),
    address('c.test', '6.6.6.6'),
  ])
  assert.deepEqual(found(bytes), ['1.1.1.1'])
})

test('an alias alone, to the root, in a circle, in a long chain', () => {
  const alias = (from: string, to: string): Buffer => record(from, TYPES.CNAME, 60, encodeName(to))
  const cnameOf = (...records: Buffer[]): string => findingsOf(parsed(response(query('a.test', TYPE_A), records))).cname
  assert.equal(cnameOf(alias('a.test', 'B.test')), 'b.test')
  assert.equal(cnameOf(alias('a.test', '')), '.')
  assert.equal(cnameOf(alias('a.test', 'b.test'), alias('b.test', 'a.test')), 'b.test')
  assert.equal(cnameOf(alias('b.test', 'c.test')), '')
  const chain = Array.from({ length: 200 }, (_, i) => alias(i === 0 ? 'a.test' : `n${i}.test`, `n${i + 1}.test`))
  assert.match(cnameOf(...chain), /^n5\d\.test$/)
})

test('services', () => {
  const data = Buffer.concat([u16(1), u16(5), u16(8080), encodeName('H.test')])
  const [srv] = parsed(response(query('_http._tcp.a', TYPE_SRV), [record('_http._tcp.a', TYPES.SRV, 9, data)])).records
  assert.deepEqual([srv?.priority, srv?.weight, srv?.port, srv?.target, srv?.ttlS], [1, 5, 8080, 'h.test', 9])
})

test('times to live', () => {
  const ttl = (value: number): number =>
    findingsOf(parsed(response(query('a', 1), [address('a', '1.1.1.1', value)]))).ttlS
  assert.equal(ttl(0), 0)
  assert.equal(ttl(0x80000000), 0)
  assert.equal(ttl(0x7fffffff), 604800)
})

test('codes, truncation and what is no response', () => {
  const q = query('a.test', TYPE_A)
  assert.equal(parsed(response(q, [], { code: 2 })).code, 2)
  assert.equal(parsed(response(q, [], { code: 1 })).name, '')
  assert.equal(parsed(response(q, [], { code: 9 })).code, 9)
  assert.equal(parsed(response(q, [], { flags: 0x200 })).truncated, true)
  assert.match(String(parseResponse(response(q, [], { flags: 0x200 }), true)), /^invalid TCP DNS response 7 fl:8380$/)
  assert.equal(parseResponse(q, false), 'invalid UDP DNS response 7 fl:0100')
})

test('what is wrong is said in the words of nginx', () => {
  const q = query('a.test', TYPE_A)
  const good = response(q, [address('a.test', '1.1.1.1')])
  const changed = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(good)
    bytes[at] = value
    return bytes
  }
  const cases: readonly (readonly [string, Buffer])[] = [
    ['invalid number of questions in DNS response', changed(5, 2)],
    ['unexpected compression pointer in DNS response', changed(12, 0xc0)],
    ['zero-length domain name in DNS response', changed(12, 0)],
    ['unknown query class 2 in DNS response', changed(12 + 8 + 3, 2)],
    ['unknown query type 2 in DNS response', changed(12 + 8 + 1, 2)],
    ['short DNS response', changed(7, 9)],
    ['unexpected AAAA record in DNS response', response(q, [address('a.test', '::1')])],
    ['invalid A record in DNS response', response(q, [record('a.test', TYPES.A, 1, Buffer.alloc(5))])],
    ['invalid name in DNS response', response(q, [record('', TYPES.A, 1, Buffer.alloc(4))])],
    ['unexpected RR class 3 in DNS response', changed(24 + 8 + 3, 3)],
  ]
  for (const [text, bytes] of cases) assert.equal(parseResponse(bytes, false), text)
  const strange = response(q, [record('a.test', TYPES.TXT, 1, Buffer.from('x')), address('a.test', '1.1.1.1')])
  assert.equal(findingsOf(parsed(strange)).strangeType, 16)
})

test('pointers cannot loop', () => {
  const start = 24
  for (const target of [start, start + 1, start + 2, 0x3fff]) {
    const bytes = response(query('a.test', TYPE_A), [
      Buffer.concat([u16(0xc000 | target), u16(1), u16(1), u16(0), u16(1), u16(4), Buffer.alloc(4)]),
    ])
    assert.match(String(parseResponse(bytes, false)), /loop|out of|label type/, String(target))
  }
})

const SAMPLE = response(query('a.test', TYPE_A), [
  record('a.test', TYPES.CNAME, 60, encodeName('b.test')),
  address('b.test', '1.2.3.4'),
  address('b.test', '1.2.3.5'),
])

test('every cut of an answer is short', () => {
  assert.deepEqual(found(SAMPLE), ['1.2.3.4', '1.2.3.5'])
  for (let end = 0; end < SAMPLE.length; end++) {
    assert.match(String(parseResponse(SAMPLE.subarray(0, end), false)), /short|out of|invalid/, String(end))
  }
})

test('changed bytes never harm', () => {
  let seed = 1
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % below
  }
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(SAMPLE)
    for (let i = random(6); i >= 0; i--) bytes[random(bytes.length)] = random(256)
    const result = parseResponse(bytes.subarray(0, bytes.length - random(3) * random(20)), round % 2 === 0)
    if (typeof result === 'string') continue
    for (const { address: text } of findingsOf(result).records) assert.match(text, /^[0-9a-f.:]*$/)
  }
})
