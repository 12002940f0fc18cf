/**
 * Clients that say in TLS that they send nothing more (close_notify), and keep their socket open to read: they get all that they
 * have asked for, as from nginx, which looks at the socket while it works (ngx_http_test_reading). One whose socket has
 * ended is gone.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { END_HEADERS, END_STREAM, frameHead, HEADERS, PREFACE, settingsFrame } from '../../src/http/h2/wire/frames.ts'
import { Certificates } from '../harness/certificates.ts'
import { NotifyingSocket } from '../harness/close-notify.ts'
import { disposeAll } from '../harness/dispose.ts'
import { blockOf, requestFields } from '../harness/h2-client.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

/** More than the kernel takes from the one and for the other. */
const SIZE = 16_000_000
const ENGINES = ['io_uring', 'epoll'] as const

const certificates = new Certificates()
const pair = certificates.make('localhost')
const peer = await Peer.start(() => undefined)
const servers = new Map<string, Server>()
after(() => disposeAll(...servers.values(), peer, certificates))

const conf = (engine: string): string => `events { ${engine === 'epoll' ? 'use epoll;' : ''} }
http {
  access_log %%DIR%%/access.log line; log_format line '$request_uri $status $body_bytes_sent';
  ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};
  keepalive_timeout 600s; lingering_timeout 600s; lingering_time 600s; send_timeout 600s;
  proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
  server {
    listen 127.0.0.1:%%PORT_0%% ssl; http2 on; root %%DIR%%;
    location /back { proxy_pass http://127.0.0.1:${peer.port}; }
    location /ignored { proxy_pass http://127.0.0.1:${peer.port}; proxy_ignore_client_abort on; }
    location /stream { proxy_pass http://127.0.0.1:${peer.port}; proxy_request_buffering off; }
    location /half { proxy_pass http://127.0.0.1:${peer.port}; proxy_half_close on; }
  }
}`

for (const engine of ENGINES) {
  const files = { large: 'x'.repeat(SIZE), small: 'small' }
  servers.set(engine, await startViaduct(conf(engine), { files }))
}

/** One client of one server, whose requests alone have `mark` behind their targets. */
interface Bench {
  readonly server: Server
  readonly client: NotifyingSocket
  ask(target: string, fields?: string): void
  /** Resolves when the back end has been asked, with the socket it was asked by. */
  asked(): Promise<number>
  /** Resolves when what is logged of a request is this. */
  logged(target: string, rest: string): Promise<void>
  /** Resolves when the server has closed. */
  closed(): Promise<string>
}

let count = 0

/** Runs a test on each engine, each time with a client of its own. */
function onBoth(name: string, run: (bench: Bench) => Promise<void>): void {
  for (const engine of ENGINES) {
    test(`${engine}: ${name}`, async () => {
      const server = servers.get(engine)!
      const mark = `?${++count}`
      const from = peer.sockets.length
      using client = await NotifyingSocket.connect(server.port())
      await run({
        server,
        client,
        ask: (target, fields = '') => client.write(`GET ${target}${mark} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`),
        async asked() {
          await peer.until(() => peer.received[from]?.includes('\r\n\r\n') === true)
          return from
        },
        async logged(target, rest) {
          const line = `${target}${mark} ${rest}\n`
          await server.until(`"${line}" is logged`, () => server.accessLog().includes(line))
        },
        async closed() {
          await server.until('the server closes', () => client.gone)
          return client.received
        },
      })
    })
  }
}

onBoth('a large answer is whole, and the connection ends behind it', async ({ client, ask, logged, closed }) => {
  client.tls.pause()
  ask('/large')
  await client.notify()
  client.tls.resume()
  assert.equal((await closed()).length - client.received.indexOf('\r\n\r\n') - 4, SIZE)
  assert.ok(client.told)
  await logged('/large', `200 ${SIZE}`)
})

onBoth('an answer that is not there yet is waited for', async ({ client, ask, asked, logged, closed }) => {
  ask('/back')
  await client.notify()
  peer.sockets[await asked()]!.write(reply('slow'))
  assert.match(await closed(), /slow$/)
  assert.ok(client.told)
  await logged('/back', '200 4')
})

onBoth('so are answers to all that was asked', async ({ client, ask, asked, closed }) => {
  ask('/back')
  ask('/small')
  await client.notify()
  peer.sockets[await asked()]!.write(reply('slow'))
  assert.match(await closed(), /slowHTTP.*small$/s)
})

onBoth('what is said behind the last word is for nobody', async ({ client, ask, asked, closed }) => {
  ask('/back')
  await client.notify()
  const n = await asked()
  await new Promise((resolve) => client.socket.write('GET /small HTTP/1.1\r\n\r\n'.repeat(2000), resolve))
  peer.sockets[n]!.write(reply('slow'))
  assert.match(await closed(), /^(?!.*HTTP.*HTTP).*slow$/s)
})

const LEAVINGS: Readonly<Record<string, (client: NotifyingSocket) => unknown>> = {
  'whose socket ends': ({ socket }) => socket.end(),
  'whose socket is reset': ({ socket }) => socket.resetAndDestroy(),
}
for (const [how, leave] of Object.entries(LEAVINGS)) {
  onBoth(`one ${how} is gone, with a last word before or without`, async ({ server, client, ask, asked, logged }) => {
    ask('/back')
    await client.notify()
    const n = await asked()
    leave(client)
    await logged('/back', '499 0')
    await peer.until(() => peer.sockets[n]!.readableEnded)
    using silent = await NotifyingSocket.connect(server.port())
    silent.write('GET /back?silent HTTP/1.1\r\nHost: x\r\n\r\n')
    await peer.until(() => peer.received[n + 1]?.includes('\r\n\r\n') === true)
    leave(silent)
    await peer.until(() => peer.sockets[n + 1]!.readableEnded)
  })
}

onBoth('proxy_ignore_client_abort hears the back end out', async ({ client, ask, asked, logged, closed }) => {
  ask('/ignored')
  await client.notify()
  const n = await asked()
  client.socket.end()
  peer.sockets[n]!.write(reply('heard'))
  assert.match(await closed(), /heard$/)
  await logged('/ignored', '200 5')
})

const HALF = 'Content-Length: 10\r\n'

onBoth('a body that is cut is refused', async ({ client, ask, logged, closed }) => {
  ask('/back', HALF)
  client.write('half')
  await client.notify()
  assert.equal(await closed(), '')
  await logged('/back', '400 0')
})

onBoth('so is one that is passed on as it comes, and the back end is left', async (bench) => {
  const { client, ask, asked, logged, closed } = bench
  ask('/stream', HALF)
  const n = await asked()
  client.write('half')
  await peer.until(() => peer.received[n]!.endsWith('half'))
  await client.notify()
  assert.equal(await closed(), '')
  await logged('/stream', '400 0')
  await peer.until(() => peer.sockets[n]!.readableEnded)
})

onBoth('one that nobody wants does not matter', async ({ client, ask, closed }) => {
  client.tls.pause()
  ask('/large', HALF)
  client.write('half')
  await client.notify()
  client.tls.resume()
  assert.equal((await closed()).length - client.received.indexOf('\r\n\r\n') - 4, SIZE)
})

onBoth('within a head, or without one, the connection ends', async ({ server, client, closed }) => {
  client.write('GET /cut HT')
  await client.notify()
  assert.equal(await closed(), '')
  await server.until('it is logged', () => / 400 0$/m.test(server.accessLog()))
  using silent = await NotifyingSocket.connect(server.port())
  await silent.notify()
  await server.until('the server closes', () => silent.gone)
})

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n'
const UPGRADE = 'Upgrade: raw\r\nConnection: upgrade\r\n'

onBoth('a tunnel ends', async ({ server, client, ask, asked, closed }) => {
  ask('/back', UPGRADE)
  const n = await asked()
  peer.sockets[n]!.write(SWITCH)
  await server.until('the tunnel', () => client.received.endsWith('\r\n\r\n'))
  client.write('last')
  await client.notify()
  await peer.until(() => peer.received[n]!.endsWith('last') && peer.sockets[n]!.readableEnded)
  await closed()
})

onBoth('a tunnel that begins behind the last word ends behind what came with its beginning', async (bench) => {
  const { client, ask, asked, closed } = bench
  ask('/back', UPGRADE)
  await client.notify()
  const n = await asked()
  peer.sockets[n]!.write(`${SWITCH}hello`)
  assert.match(await closed(), /^HTTP\/1\.1 101 .*\r\n\r\nhello$/s)
  await peer.until(() => peer.sockets[n]!.readableEnded)
})

onBoth('with proxy_half_close the other side goes on', async ({ server, client, ask, asked, closed }) => {
  ask('/half', UPGRADE)
  const n = await asked()
  // This one does not end because the other side has.
  peer.sockets[n]!.removeAllListeners('end')
  peer.sockets[n]!.write(SWITCH)
  await server.until('the tunnel', () => client.received.endsWith('\r\n\r\n'))
  await client.notify()
  await server.until('the end is passed on', () => peer.sockets[n]!.readableEnded)
  // That its socket ends, too, tells nothing new.
  // NOFIN
  peer.sockets[n]!.end('late')
  assert.match(await closed(), /\r\n\r\nlate$/)
  assert.ok(client.told)
})

test('HTTP/2: its streams end with it, as in nginx', async () => {
  for (const server of servers.values()) {
    const n = peer.sockets.length
    using client = await NotifyingSocket.connect(server.port(), { ALPNProtocols: ['h2'] })
    const block = blockOf(requestFields({ path: '/back?h2' }))
    client.write(PREFACE + settingsFrame([]) + frameHead(block.length, HEADERS, END_HEADERS | END_STREAM, 1) + block)
    await peer.until(() => peer.received[n]?.includes('\r\n\r\n') === true)
    await client.notify()
    await server.until('the server closes', () => client.gone)
    await server.until('it is logged', () => server.accessLog().includes('/back?h2 499 0\n'))
    await peer.until(() => peer.sockets[n]!.readableEnded)
  }
})
