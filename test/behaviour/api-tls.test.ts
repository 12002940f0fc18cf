/** What becomes of handshakes with back ends: counted for each server of a group, and for all together. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { TlsPeer } from '../harness/tls-peer.ts'

const certificates = new Certificates()
const own = certificates.make('localhost')
const late = certificates.make('late', { names: ['localhost'], expired: true })
let server: Server
let fine: TlsPeer
let expired: TlsPeer
let old: TlsPeer
let strict: net.Server
let silent: net.Server

const sockets: net.Socket[] = []
/** A fatal alert: what a server says to a client whose certificate it does not want. */
const BAD_CERTIFICATE = Buffer.from([0x15, 3, 3, 0, 2, 2, 42])

async function listen(onConnection: (socket: net.Socket) => void): Promise<net.Server> {
  const listening = net.createServer((socket) => {
    sockets.push(socket.on('error', () => {}))
    onConnection(socket)
  })
  await once(listening.listen(0, '127.0.0.1'), 'listening')
  return listening
}

function portOf(listening: net.Server): number {
  return (listening.address() as net.AddressInfo).port
}

before(async () => {
  fine = await TlsPeer.start(own, () => reply('fine'))
  expired = await TlsPeer.start(late, () => reply('late'))
  old = await TlsPeer.start({ ...own, maxVersion: 'TLSv1.2' }, () => reply('old'))
  strict = await listen((socket) => socket.once('data', () => socket.end(BAD_CERTIFICATE)))
  silent = await listen((socket) => socket.resume())
  const ports = {
    fine: fine.port,
    expired: expired.port,
    old: old.port,
    strict: portOf(strict),
    silent: portOf(silent),
  }
  const groups = Object.entries(ports).map(
    ([name, at]) => `upstream ${name} { zone ${name} 64k; server 127.0.0.1:${at}; keepalive 0; }`,
  )
  server = await startViaduct(`worker_processes 1; http {
    ${groups.join('\n')}
    proxy_ssl_trusted_certificate ${own.certFile}; proxy_ssl_name localhost; proxy_ssl_server_name on;
    server {
      listen 127.0.0.1:%%PORT_0%%;
      location /fine { proxy_pass https://fine; proxy_ssl_verify on; }
      location /named { proxy_pass https://fine; proxy_ssl_verify on; proxy_ssl_name other.example; }
      location /expired { proxy_pass https://expired; proxy_ssl_verify on; proxy_ssl_trusted_certificate ${late.certFile}; }
      location /unknown { proxy_pass https://fine; proxy_ssl_verify on; proxy_ssl_trusted_certificate ${late.certFile}; }
      location /old { proxy_pass https://old; proxy_ssl_protocols TLSv1.3; }
      location /strict { proxy_pass https://strict; }
      location /silent { proxy_pass https://silent; proxy_connect_timeout 200ms; }
      location /silent2 { proxy_pass https://silent; proxy_http_version 2; proxy_connect_timeout 200ms; }
      location /nowhere { proxy_pass https://127.0.0.1:${fine.port}; proxy_ssl_session_reuse off; }
      location /api { api write=on; }
      location /metrics { metrics compat=plus; }
    }
  }`)
})
after(async () => {
  await server[Symbol.asyncDispose]()
  for (const peer of [fine, expired, old]) await peer[Symbol.asyncDispose]()
  for (const socket of sockets) socket.destroy()
  for (const listening of [strict, silent]) listening.close()
  certificates.remove()
})

interface Tls {
  readonly handshakes: number
  readonly handshakes_failed: number
  readonly session_reuses: number
  readonly verify_failures: Readonly<Record<string, number>>
}

const NO_FAULTS = { expired_cert: 0, revoked_cert: 0, hostname_mismatch: 0, other: 0 }
const NONE = {
  handshakes: 0,
  handshakes_failed: 0,
  session_reuses: 0,
  no_common_protocol: 0,
  handshake_timeout: 0,
  peer_rejected_cert: 0,
  verify_failures: NO_FAULTS,
}

async function status(path: string): Promise<number> {
  return (await fetch(server.url(path))).status
}

async function api<T>(path: string): Promise<T> {
  return (await fetch(server.url(`/api/9/${path}`))).json() as Promise<T>
}

async function tlsOf(upstream: string): Promise<unknown> {
  return (await api<{ peers: { ssl?: Tls }[] }>(`http/upstreams/${upstream}`)).peers[0]!.ssl
}

test('handshakes with a server, and sessions that are used again', async () => {
  assert.equal(await tlsOf('fine'), undefined)
  for (let n = 0; n < 3; n++) assert.equal(await status('/fine'), 200)
  assert.deepEqual(await tlsOf('fine'), { ...NONE, handshakes: 3, session_reuses: 2 })
})

test("a server's certificate that is not what it should be", async () => {
  const before = (await tlsOf('fine')) as Tls
  assert.equal(await status('/named'), 502)
  assert.deepEqual(await tlsOf('fine'), {
    ...before,
    handshakes: before.handshakes + 1,
    verify_failures: { ...NO_FAULTS, hostname_mismatch: 1 },
  })
  assert.equal(await status('/unknown'), 502)
  assert.deepEqual(await tlsOf('fine'), {
    ...before,
    handshakes: before.handshakes + 2,
    verify_failures: { ...NO_FAULTS, hostname_mismatch: 1, other: 1 },
  })
  assert.equal(await status('/expired'), 502)
  assert.deepEqual(await tlsOf('expired'), {
    ...NONE,
    handshakes: 1,
    verify_failures: { ...NO_FAULTS, expired_cert: 1 },
  })
})

test('handshakes that come to nothing, by reason', async () => {
  assert.equal(await status('/old'), 502)
  assert.deepEqual(await tlsOf('old'), { ...NONE, handshakes_failed: 1, no_common_protocol: 1 })
  assert.equal(await status('/strict'), 502)
  assert.deepEqual(await tlsOf('strict'), { ...NONE, handshakes_failed: 1, peer_rejected_cert: 1 })
  assert.equal(await status('/silent'), 504)
  assert.equal(await status('/silent2'), 504)
  assert.deepEqual(await tlsOf('silent'), { ...NONE, handshakes_failed: 2, handshake_timeout: 2 })
})

test('a handshake that the server ends', async () => {
  const before = (await tlsOf('silent')) as Tls
  const ended = once(silent, 'connection')
  const asked = status('/silent')
  const [socket] = (await ended) as [net.Socket]
  socket.end()
  assert.equal(await asked, 502)
  assert.deepEqual(await tlsOf('silent'), { ...before, handshakes_failed: before.handshakes_failed + 1 })
})

test('all together, also servers without a group, and from zero again', async () => {
  const before = await api<Tls>('ssl')
  assert.ok(before.handshakes >= 6 && before.verify_failures['hostname_mismatch'] === 1, JSON.stringify(before))
  assert.equal(await status('/nowhere'), 200)
  assert.equal((await api<Tls>('ssl')).handshakes, before.handshakes + 1)
  const text = await (await fetch(server.url('/metrics'))).text()
  assert.match(
    text,
    /^viaduct_upstream_server_tls_handshakes_total\{upstream="silent",.*result="handshake_timeout"\} 2$/m,
  )
  assert.match(text, /^nginxplus_upstream_server_ssl_handshake_timeout\{upstream="silent",.*\} 2$/m)
  await fetch(server.url('/api/9/ssl'), { method: 'DELETE' })
  assert.equal((await api<Tls>('ssl')).handshakes, 0)
  await fetch(server.url('/api/9/http/upstreams/silent'), { method: 'DELETE' })
  assert.equal(await tlsOf('silent'), undefined)
})
