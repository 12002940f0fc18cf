/**
 * What connections and requests leave in the old part of V8's heap when they are over. It should be next to nothing: otherwise
 * collections of young objects, which take a fraction of a millisecond, copy all that there ever was, and a worker stands still
 * for ten (src/lib/roster.ts tells how a `Set` brings that about). Counted and not timed, so that a busy machine changes nothing.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { whyNoRing } from '../../src/net/engine.ts'
import { Certificates } from '../harness/certificates.ts'
import { H2Client } from '../harness/h2-client.ts'
import { H2Peer } from '../harness/h2-peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
after(() => certificates[Symbol.dispose]())
const pair = certificates.make('localhost')

/** As many as make the tables of maps and sets anew several times between two collections. */
const TIMES = 150
const AT_ONCE = 30
/** The median of these counts: now and then something is compiled meanwhile. */
const ROUNDS = 7
const WARM_UP = 200

/** Preloaded into every thread. Each worker collects when it is told to, and tells how much old memory is in use. */
const COLLECTOR = `
import fs from 'node:fs'
import v8 from 'node:v8'
import vm from 'node:vm'
import { isMainThread } from 'node:worker_threads'
const here = (name) => new URL(name, import.meta.url)
const word = new BroadcastChannel('collections')
word.unref()
v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc')
const asked = () => ['major', 'minor'].find((type) => fs.existsSync(here(type)))
if (isMainThread) setInterval(() => asked() && word.postMessage(0), 2).unref()
else word.onmessage = () => {
  const type = asked()
  if (type === undefined) return
  // What survives twice is old.
  for (let i = 0; i < 2; i++) gc({ type })
  const space = v8.getHeapSpaceStatistics().find((one) => one.space_name === 'old_space')
  fs.unlinkSync(here(type))
  fs.writeFileSync(here('old~'), String(space.space_used_size))
  fs.renameSync(here('old~'), here('old'))
}
`

/** Bytes of old memory that are in use after collections of that kind. */
async function collect(server: Server, type: 'major' | 'minor'): Promise<number> {
  const path = (name: string): string => server.prefix.path(name)
  fs.writeFileSync(path(type), '')
  await server.until('memory is collected', () => fs.existsSync(path('old')))
  const bytes = Number(server.prefix.read('old'))
  fs.unlinkSync(path('old'))
  return bytes
}

/** Makes a request. */
type Ask = () => Promise<void>

/** Each has its time, and others begin before it is over, as it is with many clients. */
async function ask(times: number, one: Ask): Promise<void> {
  let begun = 0
  const go = async (): Promise<void> => {
    while (begun < times) {
      begun++
      await one()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, go))
}

/** A connection for each request. */
function newcomer(connect: () => net.Socket): Ask {
  return async () => {
    const socket = connect()
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.equal(answer.latin1Slice(9, 12), '200')
    await once(socket.resume(), 'close')
  }
}

interface Situation {
  readonly what: string
  readonly location: string
  readonly listen?: string
  readonly client: (server: Server) => Promise<Ask>
  /** Of each; those that are under way when memory is collected by itself become old, which is a fifth at most. */
  readonly bytesMax: number
}

async function streams(server: Server): Promise<Ask> {
  const client = await H2Client.connect(server.port())
  after(() => client[Symbol.asyncDispose]())
  let next = 1
  return async () => {
    const id = next
    next += 2
    client.request(id)
    assert.equal((await client.response(id)).status, 200)
  }
}

const plain = async (server: Server): Promise<Ask> =>
  newcomer(() => net.connect({ port: server.port(), host: '127.0.0.1' }))

const secure = async (server: Server): Promise<Ask> =>
  newcomer(() => tls.connect({ port: server.port(), host: '127.0.0.1', rejectUnauthorized: false }))

const situations: readonly Situation[] = [
  { what: 'connections', location: 'return 200 fixed;', client: plain, bytesMax: 600 },
  { what: 'connections over TLS', location: 'return 200 fixed;', listen: 'ssl', client: secure, bytesMax: 900 },
  { what: 'connections to a back end', location: 'proxy_pass http://%%BACK%%;', client: plain, bytesMax: 700 },
  { what: 'streams', location: 'return 200 fixed;', client: streams, bytesMax: 100 },
  {
    what: 'streams to a back end',
    location: 'proxy_pass http://%%H2%%; proxy_http_version 2;',
    client: streams,
    bytesMax: 400,
  },
]

async function startBackEnd(): Promise<net.Server> {
  const answer = 'HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nbehind'
  const back = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.end(answer))
  })
  await once(back.listen(0, '127.0.0.1'), 'listening')
  return back
}

for (const engine of ['io_uring', 'epoll']) {
  const skip = engine === 'io_uring' ? whyNoRing() : ''
  for (const { what, location, listen = '', client, bytesMax } of situations) {
    test(`${what}, ${engine}: nothing is left`, skip === '' ? {} : { skip }, async (t) => {
      await using back = await startBackEnd()
      await using h2 = await H2Peer.start((stream) => stream.reply('behind'))
      const target = location
        .replace('%%BACK%%', `127.0.0.1:${(back.address() as net.AddressInfo).port}`)
        .replace('%%H2%%', 'h2')
      await using server = await startViaduct(
        `events { use ${engine}; } worker_processes 1; error_log %%DIR%%/error.log notice;
        http { access_log off; keepalive_requests 1000000; ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};
          upstream h2 { server 127.0.0.1:${h2.port}; keepalive 4; keepalive_requests 1000000; }
          server { listen 127.0.0.1:%%PORT_0%% ${listen}; http2 on; location / { ${target} } } }`,
        {
          files: { 'collector.mjs': COLLECTOR },
          env: { NODE_OPTIONS: '--import=./collector.mjs' },
          cwd: true,
          prepare: (dir) => fs.chmodSync(dir, 0o777),
        },
      )
      const one = await client(server)
      await ask(WARM_UP, one)
      let before = await collect(server, 'major')
      const rounds: number[] = []
      for (let i = 0; i < ROUNDS; i++) {
        await ask(TIMES, one)
        const now = await collect(server, 'minor')
        rounds.push((now - before) / TIMES)
        before = now
      }
      const bytes = rounds.sort((a, b) => a - b)[ROUNDS >> 1]!
      t.diagnostic(`${Math.round(bytes)} bytes of each`)
      assert.ok(bytes < bytesMax, `${bytes} bytes of each`)
    })
  }
}
