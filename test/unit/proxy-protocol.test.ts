/** The header of the PROXY protocol: both versions, every cut, and bytes that are none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PROXY_BROKEN, PROXY_MORE, parseProxyHeader, proxyHeader, tlvValue } from '../../src/net/proxy-protocol.ts'

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
const NO_HEADER = { source: '', sourcePort: 0, destination: '', destinationPort: 0, tlvs: '', problem: '' }

/** A version 2 header: command and family as bytes, then the rest. */
function v2(command: number, family: number, rest: string): string {
  const length = String.fromCharCode(rest.length >> 8, rest.length & 255)
  return SIGNATURE + String.fromCharCode(command, family) + length + rest
}

const IPV4 = '\xc0\x00\x02\x01\xc6\x33\x64\x02\x1f\x90\x01\xbb'
const TLVS = '\x01\x00\x02h2\x02\x00\x03a.b'
const FROM_IPV4 = {
  ...NO_HEADER,
  source: '192.0.2.1',
  sourcePort: 8080,
  destination: '198.51.100.2',
  destinationPort: 443,
}
const IPV6 = `\x20\x01\x0d\xb8${'\0'.repeat(11)}\x01\x20\x01\x0d\xb8${'\0'.repeat(11)}\x02\x00\x50\x00\x51`

const WHOLE: readonly (readonly [string, string, object])[] = [
  ['TCP4', 'PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n', FROM_IPV4],
  [
    'TCP6',
    'PROXY TCP6 2001:DB8::1 ::1 1 65535\r\n',
    { ...NO_HEADER, source: '2001:DB8::1', sourcePort: 1, destination: '::1', destinationPort: 65535 },
  ],
  ['UNKNOWN', 'PROXY UNKNOWN and whatever else\r\n', NO_HEADER],
  ['v2 IPv4 with TLVs', v2(0x21, 0x11, IPV4 + TLVS), { ...FROM_IPV4, tlvs: TLVS }],
  [
    'v2 IPv6',
    v2(0x21, 0x21, IPV6),
    { ...NO_HEADER, source: '2001:db8::1', sourcePort: 80, destination: '2001:db8::2', destinationPort: 81 },
  ],
  ['v2 LOCAL', v2(0x20, 0x11, IPV4), NO_HEADER],
  ['v2 datagrams', v2(0x21, 0x12, IPV4), NO_HEADER],
  ['v2 unix', v2(0x21, 0x31, 'x'.repeat(216)), NO_HEADER],
]

for (const [name, text, expected] of WHOLE) {
  test(`${name}, at every cut`, () => {
    const bytes = Buffer.from(`${text}GET / HTTP/1.1\r\n`, 'latin1')
    for (let end = 0; end < text.length; end++) {
      assert.equal(parseProxyHeader(bytes, 0, end, proxyHeader()), PROXY_MORE, `cut at ${end}`)
    }
    for (let end = text.length; end <= bytes.length; end++) {
      const header = proxyHeader()
      assert.equal(parseProxyHeader(bytes, 0, end, header), text.length)
      assert.deepEqual(header, expected)
    }
  })
}

const BROKEN: readonly (readonly [string, string])[] = [
  ['GET / HTTP/1.1\r\nHost: x\r\n', 'broken header: "GET / HTTP/1.1"'],
  ['PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n', 'broken header: "PROXY TCP5 1.1.1.1 2.2.2.2 1 2"'],
  ['PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n', 'broken header: "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536"'],
  ['PROXY TCP4 1.1.1.1; 2.2.2.2 1 2\r\n', 'broken header: "PROXY TCP4 1.1.1.1; 2.2.2.2 1 2"'],
  ['PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n\r\n', 'broken header: "PROXY TCP4 1.1.1.1 2.2.2.2 1 2"'],
  [`PROXY TCP4 ${'1'.repeat(200)}`, `broken header: "PROXY TCP4 ${'1'.repeat(96)}"`],
  [v2(0x11, 0x11, IPV4), 'unknown PROXY protocol version: 1'],
  [v2(0x21, 0x11, 'x'.repeat(5000)), 'header is too large'],
  [v2(0x21, 0x11, 'short'), 'broken header: ""'],
]

for (const [text, problem] of BROKEN) {
  test(`refused: ${JSON.stringify(text.slice(0, 50))}`, () => {
    const header = proxyHeader()
    const bytes = Buffer.from(text, 'latin1')
    assert.equal(parseProxyHeader(bytes, 0, bytes.length, header), PROXY_BROKEN)
    assert.equal(header.problem, problem)
  })
}

test('TLVs by name and number', () => {
  const ssl = '\x01\x00\x00\x01\x02\x21\x00\x07TLSv1.3\x22\x00\x02cn'
  const tlvs = `${TLVS}\x20\x00${String.fromCharCode(ssl.length)}${ssl}\xea\x00\x01z`
  const expected = {
    alpn: 'h2',
    authority: 'a.b',
    '0x02': 'a.b',
    '0xea': 'z',
    ssl,
    ssl_verify: '258',
    ssl_version: 'TLSv1.3',
    ssl_cn: 'cn',
    ssl_0x21: 'TLSv1.3',
    ssl_cipher: undefined,
    netns: undefined,
    nothing: undefined,
  }
  for (const [name, value] of Object.entries(expected)) assert.equal(tlvValue(tlvs, name), value, name)
})

test('TLVs that are cut off are not there, and nothing is read beyond', () => {
  for (let end = 0; end < TLVS.length; end++) {
    const value = tlvValue(TLVS.slice(0, end), 'authority')
    assert.equal(value, undefined, `cut at ${end}`)
  }
})
