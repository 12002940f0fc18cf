/** A thousand WebSockets across reloads: none is dropped, and each echoes before, between and after. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type net from 'node:net'
import { test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { type Server, startViaduct } from '../harness/server.ts'

const COUNT = 1000
/** A listener's backlog is 511. */
const OPENED_AT_ONCE = 100

const conf = (backEnd: number, round: number) => `
  worker_processes 2;
  events { worker_connections 4096; }
  http {
    access_log off;
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    upstream sockets { server 127.0.0.1:${backEnd}; }
    server {
      listen 127.0.0.1:%%PORT_0%%;
      location /ws {
        proxy_pass http://sockets;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_read_timeout 3600s;
      }
      location = /round { return 200 ${round}; }
    }
  }`

/** A back end that echoes, and its WebSockets. */
async function startEcho(): Promise<WebSocketServer & AsyncDisposable> {
  const echo = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: COUNT })
  echo.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  await once(echo, 'listening')
  const stop = async (): Promise<void> => {
    for (const socket of echo.clients) socket.terminate()
    echo.close()
  }
  return Object.assign(echo, { [Symbol.asyncDispose]: stop })
}

async function openAll(server: Server): Promise<WebSocket[]> {
  const sockets: WebSocket[] = []
  while (sockets.length < COUNT) {
    const some = Array.from({ length: OPENED_AT_ONCE }, () => new WebSocket(`ws://127.0.0.1:${server.port()}/ws`))
    await Promise.all(some.map((socket) => once(socket, 'open')))
    sockets.push(...some)
  }
  return sockets
}

/** Every one sends a text of its own and gets it back. */
async function echoAll(sockets: readonly WebSocket[], round: string): Promise<void> {
  const echoes = sockets.map(async (socket, i) => {
    const text = `${round} ${i} ${'x'.repeat(i)}`
    socket.send(text)
    assert.equal(String((await once(socket, 'message'))[0]), text)
  })
  await Promise.all(echoes)
}

test('a thousand WebSockets outlive reloads, by signal and by -s reload', async (t) => {
  await using echo = await startEcho()
  const { port } = echo.address() as net.AddressInfo
  await using server = await startViaduct(conf(port, 0))
  const sockets = await openAll(server)
  const dropped: string[] = []
  for (const socket of sockets) {
    socket.on('close', (code) => dropped.push(`closed with ${code}`))
    socket.on('error', (error) => dropped.push(error.message))
  }
  await echoAll(sockets, 'before')

  // Half of an exchange is under way when the configuration changes.
  const during = echoAll(sockets, 'during')
  await server.reload(conf(port, 1))
  await during
  assert.equal(await (await fetch(server.url('/round'))).text(), '1')
  await echoAll(sockets, 'after a reload')

  const logged = server.errorLog().length
  assert.equal((await server.prefix.run(['-s', 'reload'])).code, 0)
  await server.until('the second reload', () => / exited with code 0/.test(server.errorLog().slice(logged)))
  await echoAll(sockets, 'after another')

  assert.deepEqual(dropped, [])
  assert.equal(echo.clients.size, COUNT)
  t.diagnostic(`${sockets.length} WebSockets, 2 reloads, 4 rounds of echoes, ${dropped.length} dropped`)
  const closed = sockets.map((socket) => {
    socket.close(1000)
    return once(socket, 'close')
  })
  await Promise.all(closed)
  await server.until('the back end sees each close', () => echo.clients.size === 0)
})
