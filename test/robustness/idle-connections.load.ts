/**
 * Ten thousand connections that have made one request each cost less than 45 MB, and less than 100 when all are busy at once; two
 * thousand over TLS less than 60.
 */
import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { whyNoRing } from '../../src/net/engine.ts'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'
import { residentBytes } from './process-facts.ts'

const skip = whyNoRing()
const options = skip === '' ? {} : { skip }

const COUNT = 10_000
const IDLE_MAX = 45_000_000
const COST_MAX = 100_000_000
const TLS_COUNT = 2000
/** OpenSSL needs 21 KB for each. */
const TLS_IDLE_MAX = 60_000_000
/** So many are opened at a time: the queue of a listening socket is short. */
const STEP = 200

/** Each asks so often, at the same time as all others. */
const ROUNDS = 5
const PIPELINED = 4

test('10,000 connections cost less than 45 MB, and 100 when they are busy', async (t) => {
  await using server = await startViaduct(`worker_processes 1;
  events { worker_connections 12000; }
    http { access_log off; keepalive_timeout 300s; server { listen 127.0.0.1:%%PORT_0%%; return 200 "ok"; } }`)
  const port = server.port()
  const sockets: net.Socket[] = []
  for (let i = 0; i < STEP; i++) sockets.push(await idleConnection(port))
  const before = residentBytes(server.pid)
  while (sockets.length < COUNT + STEP) {
    sockets.push(...(await Promise.all(Array.from({ length: STEP }, () => idleConnection(port)))))
  }
  const cost = residentBytes(server.pid) - before
  t.diagnostic(`${(cost / COUNT / 1000).toFixed(1)} KB per connection`)
  assert.ok(cost < IDLE_MAX, `${cost} bytes`)
  assert.equal(await (await fetch(server.url('/'))).text(), 'ok')
  assert.ok(sockets.every((socket) => !socket.destroyed && socket.readyState === 'open'))
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes(server.pid) - before)
  }, 100)
  for (let round = 0; round < ROUNDS; round++) await Promise.all(sockets.map(askMore))
  clearInterval(watch)
  t.diagnostic(`${(most / COUNT / 1000).toFixed(1)} KB per connection when all ask at once`)
  assert.ok(most < COST_MAX, `${most} bytes`)
  for (const socket of sockets) socket.destroy()
})

test('2,000 connections over TLS cost less than 60 MB', options, async (t) => {
  const certificates = new Certificates()
  t.after(() => certificates.remove())
  const { cert, key } = certificates.make('one.example')
  await using server = await startViaduct(
    `worker_processes 1;
    events { worker_connections 12000; }
    http { access_log off; keepalive_timeout 300s; ssl_certificate cert.pem; ssl_certificate_key key.pem;
      server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 "ok"; } }`,
    { files: { 'cert.pem': cert, 'key.pem': key } },
  )
  const sockets: net.Socket[] = []
  const open = async (count: number): Promise<void> => {
    while (sockets.length < count) {
      sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => idleOverTls(server.port())))))
    }
  }
  await open(STEP)
  const before = residentBytes(server.pid)
  await open(TLS_COUNT + STEP)
  const cost = residentBytes(server.pid) - before
  t.diagnostic(`${(cost / TLS_COUNT / 1000).toFixed(1)} KB per connection`)
  assert.ok(cost < TLS_IDLE_MAX, `${cost} bytes`)
  for (const socket of sockets) socket.destroy()
})

/** Sends requests, and resolves when all are answered. */
function askMore(socket: net.Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    const heard = (piece: Buffer): void => {
      text += piece.latin1Slice()
      if (text.split('HTTP/1.1 200').length <= PIPELINED || !text.endsWith('ok')) return
      socket.off('data', heard).off('error', reject)
      resolve()
    }
    socket.on('data', heard).on('error', reject)
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(PIPELINED))
  })
}

/** Opens a connection, and resolves when its first request was answered. */
function idleConnection(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    socket.once('data', () => resolve(socket))
    socket.once('error', reject)
  })
}

/** The same over TLS. */
function idleOverTls(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    })
    socket.once('data', () => resolve(socket))
    socket.once('error', reject)
  })
}
