/** Messages over TCP: cut anywhere, several at once, and the end of a connection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Channel, TcpChannel } from '../../src/net/dns-channel.ts'
import { DnsServer, u16 } from '../harness/dns.ts'

class Owner {
  readonly messages: string[] = []
  readonly problems: string[] = []
  readonly broken = Promise.withResolvers<void>()

  onMessage(bytes: Uint8Array): void {
    this.messages.push(Buffer.from(bytes).toString('latin1'))
  }

  onBroken(_: Channel, problem: string): void {
    this.problems.push(problem)
    this.broken.resolve()
  }
}

const MESSAGES = ['abc', '', 'x'.repeat(300), 'd']
const BYTES = Buffer.concat(MESSAGES.flatMap((text) => [u16(text.length), Buffer.from(text)]))

test('messages are whole wherever the stream is cut', async () => {
  await using dns = await DnsServer.start()
  for (let cut = 0; cut <= BYTES.length; cut++) {
    const owner = new Owner()
    const channel = new TcpChannel({ host: '127.0.0.1', port: dns.port, name: '' }, owner)
    for (const piece of [BYTES.subarray(0, cut), BYTES.subarray(cut)]) {
      const borrowed = Buffer.from(piece)
      channel.onBytes(borrowed, borrowed.length)
      borrowed.fill(0)
    }
    channel.close()
    assert.deepEqual(owner.messages, MESSAGES, String(cut))
  }
})

test('an owner that closes gets nothing more', async () => {
  await using dns = await DnsServer.start()
  const owner = new Owner()
  const channel = new TcpChannel({ host: '127.0.0.1', port: dns.port, name: '' }, owner)
  owner.onMessage = (bytes) => {
    owner.messages.push(String(bytes.length))
    channel.close()
  }
  channel.onBytes(BYTES, BYTES.length)
  channel.onEnd()
  assert.deepEqual([owner.messages, owner.problems], [['3'], []])
})

test('a refused connection is said once', async () => {
  const dns = await DnsServer.start()
  const { port } = dns
  await dns[Symbol.asyncDispose]()
  const owner = new Owner()
  new TcpChannel({ host: '127.0.0.1', port, name: '' }, owner)
  await owner.broken.promise
  assert.deepEqual(owner.problems, ['connect() failed (111: Connection refused)'])
})
