/**
 * Socket.IO on two Node back ends that know nothing of each other: a session works only when every request of it goes to
 * the same one. Once with `ip_hash`, once with `sticky cookie`; over long-polling, over WebSocket, and from one to the other.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { after, before, test } from 'node:test'
import { Server as SocketServer } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import { type Server, startViaduct } from '../harness/server.ts'

const SESSIONS = 20
const BIG = 'x'.repeat(100_000)

const running = new AsyncDisposableStack()
let server: Server

before(async () => {
  const [a, b] = [await startApplication('a'), await startApplication('b')]
  const locations = (group: string) => `
    location /socket.io/ {
      proxy_pass http://${group};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }`
  server = running.use(
    await startViaduct(
      `worker_processes 2;
      http {
        upstream by_address { ip_hash; server 127.0.0.1:${a}; server 127.0.0.1:${b}; }
        upstream by_cookie { sticky cookie srv path=/; server 127.0.0.1:${a}; server 127.0.0.1:${b}; }
        upstream by_turns { server 127.0.0.1:${a}; server 127.0.0.1:${b}; }
        set_real_ip_from 127.0.0.1; real_ip_header X-Client;
        server { listen 127.0.0.1:%%PORT_0%%; ${locations('by_address')} }
        server { listen 127.0.0.1:%%PORT_1%%; ${locations('by_cookie')} }
        server { listen 127.0.0.1:%%PORT_2%%; ${locations('by_turns')} }
      }`,
      { busyAtEnd: 'sessions that are left wait in long polls' },
    ),
  )
})
after(() => running.disposeAsync())

/** Starts an application that echoes, says its name, and tells a session how many share its room. Returns its port. */
async function startApplication(name: string): Promise<number> {
  const listener = http.createServer()
  const application = new SocketServer(listener, { maxHttpBufferSize: 1_000_000 })
  application.on('connection', (socket) => {
    void socket.join('all')
    socket.on('name', (answer: (text: string) => void) => answer(name))
    socket.on('echo', (value: unknown, answer: (value: unknown) => void) => answer(value))
    socket.on('shout', (text: string) => application.to('all').emit('shout', text))
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  running.defer(() => application.close())
  return (listener.address() as net.AddressInfo).port
}

interface How {
  readonly port: number
  readonly transports: readonly ('polling' | 'websocket')[]
  readonly client: number
}

/** Opens a session; it does not try again, so that a request at the wrong back end is an error. */
async function open({ port, transports, client }: How): Promise<Socket> {
  const socket = io(`http://127.0.0.1:${server.port(port)}`, {
    transports: [...transports],
    extraHeaders: { 'X-Client': `10.${client}.0.1` },
    withCredentials: true,
    forceNew: true,
    reconnection: false,
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })
  return socket
}

/** Uses a session in both directions; returns the name of its back end. */
async function use(socket: Socket): Promise<string> {
  const gone: string[] = []
  socket.on('disconnect', (reason) => gone.push(reason))
  const name = (await socket.emitWithAck('name')) as string
  for (let n = 0; n < 10; n++) assert.equal(await socket.emitWithAck('echo', n), n)
  assert.equal(await socket.emitWithAck('echo', BIG), BIG)
  assert.deepEqual(await socket.emitWithAck('echo', Buffer.of(0, 1, 255)), Buffer.of(0, 1, 255))
  assert.deepEqual(gone, [])
  assert.equal(await socket.emitWithAck('name'), name)
  socket.removeAllListeners('disconnect')
  return name
}

const KINDS = [
  { what: 'long-polling', transports: ['polling'] },
  { what: 'WebSocket', transports: ['websocket'] },
  { what: 'long-polling that becomes WebSocket', transports: ['polling', 'websocket'] },
] as const

for (const [port, method] of ['ip_hash', 'sticky cookie'].entries()) {
  for (const { what, transports } of KINDS) {
    test(`${method}: sessions over ${what} stay where they began, on both back ends`, async () => {
      const opened = Array.from({ length: SESSIONS }, (_, client) => open({ port, transports, client }))
      const sockets = await Promise.all(opened)
      if (transports.length === 2) {
        await server.until('all are WebSockets', () => {
          return sockets.every((socket) => socket.io.engine.transport.name === 'websocket')
        })
      }
      const names = await Promise.all(sockets.map(use))
      assert.deepEqual([...new Set(names)].toSorted(), ['a', 'b'])
      for (const socket of sockets) socket.disconnect()
    })
  }
}

test('a message to a room arrives at a session that is waiting in a poll', async () => {
  const [one, other] = [
    await open({ port: 0, transports: ['polling'], client: 1 }),
    await open({ port: 0, transports: ['websocket'], client: 1 }),
  ]
  const heard = new Promise((resolve) => one.once('shout', resolve))
  other.emit('shout', 'hello')
  assert.equal(await heard, 'hello')
  one.disconnect()
  other.disconnect()
})

test('without either, long-polling does not work: the tests above show something', async () => {
  const attempts = Array.from({ length: 4 }, async (_, client) => {
    const socket = await open({ port: 2, transports: ['polling'], client })
    const left = new Promise((resolve) => socket.once('disconnect', resolve))
    const answer = await Promise.race([use(socket), left.then(() => 'left')])
    socket.disconnect()
    return answer
  })
  const outcomes = await Promise.allSettled(attempts)
  assert.ok(outcomes.some((outcome) => outcome.status === 'rejected' || outcome.value === 'left'))
})
