/** `ssl_key_log` over reloads: who shakes hands meanwhile is logged where its configuration says, and nobody else. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'
import { whyNoRing } from '../../src/net/engine.ts'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'

/** A client's way to the server that keeps back what it says after its first word, until it may. */
class Halting extends Duplex {
  readonly #socket: net.Socket
  #said = 0
  #go: (() => void) | undefined
  /** The client has more to say. */
  readonly waiting: Promise<void>
  #wait = (): void => {}

  constructor(port: number) {
    super()
    this.waiting = new Promise((resolve) => {
      this.#wait = resolve
    })
    this.#socket = net.connect(port, '127.0.0.1')
    this.#socket.on('data', (bytes) => this.push(bytes))
    this.#socket.on('end', () => this.push(null))
    this.#socket.on('error', (error) => this.destroy(error))
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const write = (): void => void this.#socket.write(bytes, () => done())
    if (this.#said++ !== 1) return write()
    this.#go = write
    this.#wait()
  }

  goOn(): void {
    this.#go?.()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}

function certificate(t: TestContext): Record<string, string> {
  const certificates = new Certificates()
  t.after(() => fs.rmSync(certificates.dir, { recursive: true }))
  const { cert, key } = certificates.make('localhost')
  return { 'cert.pem': cert, 'key.pem': key }
}

const VERSION = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', rejectUnauthorized: false } as const

for (const use of ['epoll', 'io_uring']) {
  const options = { skip: use === 'io_uring' && whyNoRing() !== '' ? whyNoRing() : false }

  test(`${use}: a handshake that outlasts the log`, options, async (t) => {
    const conf = (
      log: string,
    ): string => `events { use ${use}; } http { ssl_certificate cert.pem; ssl_certificate_key key.pem;
      server { listen 127.0.0.1:%%PORT_0%% ssl; ssl_session_tickets off; ${log} return 204; } }`
    await using server = await startViaduct(conf('ssl_key_log %%DIR%%/one.log;'), { files: certificate(t) })
    const { prefix } = server
    const way = new Halting(server.port())
    t.after(() => way.destroy())
    const client = tls.connect({ socket: way, ...VERSION })
    let secret = ''
    client.on('keylog', (line: Buffer) => {
      secret += line.toString('latin1')
    })
    await way.waiting
    await server.reload(conf(''))
    fs.renameSync(prefix.path('one.log'), prefix.path('one.log.1'))
    way.goOn()
    await once(client, 'secureConnect')
    client.end('GET / HTTP/1.0\r\n\r\n')
    await once(client.resume(), 'close')
    assert.match(secret, /^CLIENT_RANDOM /)
    await server.until('it is in the old file', () => prefix.read('one.log.1') === secret)
    assert.ok(!fs.existsSync(prefix.path('one.log')))
  })
}
