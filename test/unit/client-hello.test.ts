/** What a TLS client says first, read from the hello of a real client, cut anywhere and put into records of any size. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type tls from 'node:tls'
import { ClientHello, HELLO_BROKEN, HELLO_DONE, HELLO_MORE, parseClientHello } from '../../src/net/client-hello.ts'
import { helloOf } from './client-hello-maker.ts'

const options: tls.ConnectionOptions = {
  servername: 'Www.Example.org',
  ALPNProtocols: ['h2', 'http/1.1'],
  minVersion: 'TLSv1.2',
  ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256',
  ecdhCurve: 'X25519:P-256',
  sigalgs: 'ecdsa_secp256r1_sha256',
}
const bytes = await helloOf(options)

function read(buffer: Buffer): ClientHello {
  const hello = new ClientHello()
  assert.equal(parseClientHello(buffer, 0, buffer.length, hello), HELLO_DONE)
  return hello
}

function check(hello: ClientHello): void {
  assert.equal(hello.serverName, 'Www.Example.org')
  assert.equal(hello.version, 0x0304)
  assert.equal(hello.alpn, '\x02h2\x08http/1.1')
  assert.equal(hello.ciphers.slice(0, 4), '\x13\x01\xc0\x2b')
  assert.equal(hello.groups, '\0\x1d\0\x17')
  assert.equal(hello.signatureAlgorithms, '\x04\x03')
  assert.equal(hello.sessionId.length, 32)
  assert.equal(hello.tickets, true)
  assert.deepEqual([hello.ticket, hello.pskIdentity, hello.statusRequest], ['', '', false])
}

/** The same message in records of `size` bytes. */
function inRecords(size: number): Buffer {
  const parts: Buffer[] = []
  for (let at = 5; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size)
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part)
  }
  return Buffer.concat(parts)
}

test('the facts of a hello', () => {
  check(read(bytes))
  check(read(Buffer.concat([bytes, Buffer.from('what follows')])))
})

test('cut anywhere, more is asked for; in records of any size it is the same', () => {
  const hello = new ClientHello()
  for (const whole of [bytes, ...[1, 2, 3, 4, 5, 100, bytes.length - 6].map(inRecords)]) {
    for (let end = 0; end < whole.length; end++)
      assert.equal(parseClientHello(whole, 0, end, hello), HELLO_MORE, `${end}`)
    check(read(whole))
  }
})

test('sessions and status requests', async () => {
  const { serverName, version, tickets } = read(await helloOf({ maxVersion: 'TLSv1.2' }))
  assert.deepEqual([serverName, version, tickets], ['', 0x0303, true])
  assert.equal(read(await helloOf({ requestOCSP: true } as tls.ConnectionOptions)).statusRequest, true)
  const session = Buffer.from(bytes)
  assert.equal(read(session).pskIdentity, '')
})

test('what is no hello, or a malformed one, is told at once', () => {
  const hello = new ClientHello()
  const broken = (change: (copy: Buffer) => void): number => {
    const copy = Buffer.from(bytes)
    change(copy)
    return parseClientHello(copy, 0, copy.length, hello)
  }
  assert.equal(parseClientHello(Buffer.from('GET / HTTP/1.1\r\n'), 0, 16, hello), HELLO_BROKEN)
  assert.equal(parseClientHello(Buffer.from([0x80, 0x2e]), 0, 2, hello), HELLO_BROKEN)
  for (const [at, value] of [
    [0, 23],
    [1, 2],
    [3, 255],
    [5, 2],
    [6, 255],
    [43, 33],
  ] as const) {
    assert.equal(
      broken((copy) => {
        copy[at] = value
      }),
      HELLO_BROKEN,
      `byte ${at}`,
    )
  }
  // A list that is longer than what it stands in.
  const name = bytes.indexOf('Www.Example.org')
  assert.equal(
    broken((copy) => {
      copy[name - 1]!++
    }),
    HELLO_BROKEN,
  )
  assert.equal(
    broken((copy) => {
      copy[name] = 0
    }),
    HELLO_BROKEN,
  )
})

test('a message is not waited for that is too long', () => {
  const head = Buffer.from([22, 3, 1, 0x40, 0, 1, 1, 0, 0])
  assert.equal(parseClientHello(head, 0, head.length, new ClientHello()), HELLO_BROKEN)
  const many = Buffer.concat(
    Array.from({ length: 40 }, () => Buffer.concat([Buffer.from([22, 3, 1, 0, 1]), Buffer.from([1])])),
  )
  assert.notEqual(parseClientHello(many, 0, many.length, new ClientHello()), HELLO_DONE)
})
