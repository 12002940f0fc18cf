/**
 * Clients that are slow on purpose, by the hundred: each is ended by its time-out or costs a bounded amount of memory,
 * and none makes another client wait.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'
import { residentBytes } from './process-facts.ts'

const COUNT = 400
/** Longest time that a well-behaved client may wait meanwhile, on a machine that does other things too. */
const PATIENCE_MS = 1000
/** What all of them may cost together: what one event may queue for a client, and `proxy_buffers`, for each. */
const MEMORY_MAX = COUNT * 600_000
const LARGE = 20_000_000
/** Connections that the well-behaved client may have open. */
const WELL_BEHAVED_MAX = 20

const conf = (more: string) => `
  worker_processes 1;
  events { worker_connections 4096; }
  http { access_log off; ${more} client_body_temp_path %%DIR%%/body; proxy_temp_path %%DIR%%/proxy;
    server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%; location = /quick { return 200 "quick"; }
      location = /status { stub_status; }`

/** Counts how many of the connections the server has ended, and with what. */
class SlowClients {
  readonly sockets: net.Socket[] = []
  readonly received: string[] = []
  ended = 0

  async open(port: number, first: string): Promise<void> {
    for (let i = 0; i < COUNT; i++) {
      const socket = net.connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.on('close', () => this.ended++)
      this.sockets.push(socket)
      await once(socket, 'connect')
      socket.write(first)
    }
  }

  listen(): void {
    for (const [i, socket] of this.sockets.entries()) {
      socket.setEncoding('latin1').on('data', (text: string) => {
        this.received[i] = (this.received[i] ?? '') + text
      })
    }
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy()
  }
}

/** Makes requests until `over`; returns the longest time that one took. */
async function wellBehaved(server: Server, over: () => boolean | Promise<boolean>): Promise<number> {
  let longest = 0
  while (!(await over())) {
    const start = performance.now()
    const response = await fetch(server.url('/quick'))
    assert.equal(await response.text(), 'quick')
    longest = Math.max(longest, performance.now() - start)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return longest
}

test('heads that never end are cut off', async () => {
  await using server = await startViaduct(`${conf('client_header_timeout 1s;')} } }`)
  const clients = new SlowClients()
  await clients.open(server.port(), 'GET / HTTP/1.1\r\nX-Slow: ')
  clients.listen()
  const drip = setInterval(() => clients.sockets.forEach((socket) => void (socket.writable && socket.write('x'))), 100)
  const longest = await wellBehaved(server, () => clients.ended === COUNT)
  clearInterval(drip)
  assert.ok(longest < PATIENCE_MS, `another client waited ${longest} ms`)
})

test('bodies that stop are cut off, and those that drip cost little', async () => {
  const back = http.createServer((request, response) => request.resume().on('end', () => response.end('late')))
  await once(back.listen(0, '127.0.0.1'), 'listening')
  const { port } = back.address() as net.AddressInfo
  await using server = await startViaduct(
    `${conf('client_body_timeout 500ms;')} location / { proxy_pass http://127.0.0.1:${port}; client_max_body_size 0; } } }`,
  )
  const before = residentBytes(server.pid)
  const dripping = new SlowClients()
  const stopped = new SlowClients()
  const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n'
  await dripping.open(server.port(), head)
  const drip = setInterval(() => dripping.sockets.forEach((socket) => void (socket.writable && socket.write('x'))), 100)
  await stopped.open(server.port(), `${head}x`)
  stopped.listen()
  const longest = await wellBehaved(server, () => stopped.ended === COUNT)
  clearInterval(drip)
  assert.ok(longest < PATIENCE_MS, `another client waited ${longest} ms`)
  const cost = residentBytes(server.pid) - before
  assert.ok(cost < MEMORY_MAX, `${cost} bytes`)
  dripping.close()
  back.close()
})

test('responses that nobody reads cost a bounded amount and end with send_timeout', async (t) => {
  const body = Buffer.alloc(LARGE, 'x')
  const back = http.createServer((_, response) => response.end(body))
  await once(back.listen(0, '127.0.0.1'), 'listening')
  const { port } = back.address() as net.AddressInfo
  const proxied = `proxy_pass http://127.0.0.1:${port};`
  await using server = await startViaduct(
    `${conf('send_timeout 1s;')}
      location /spooled { ${proxied} proxy_buffers 4 16k; proxy_max_temp_file_size 256k; }
      location /streamed { ${proxied} proxy_buffering off; } } }`,
    { files: { large: body } },
  )
  const before = residentBytes(server.pid)
  for (const target of ['/large', '/spooled', '/streamed']) {
    let most = 0
    const clients = new SlowClients()
    await clients.open(server.port(), `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
    for (const socket of clients.sockets) socket.pause()
    // A paused socket does not hear of its end: the server says how many it still has.
    const longest = await wellBehaved(server, async () => {
      most = Math.max(most, residentBytes(server.pid) - before)
      return (await connectionsOf(server)) < WELL_BEHAVED_MAX
    })
    assert.ok(longest < PATIENCE_MS, `${target}: another client waited ${longest} ms`)
    t.diagnostic(`${target}: ${Math.round(most / COUNT / 1000)} KB per connection`)
    assert.ok(most < MEMORY_MAX, `${target}: ${most} bytes`)
    clients.close()
  }
  back.closeAllConnections()
  back.close()
})

/** How many connections of clients a server has. */
async function connectionsOf(server: Server): Promise<number> {
  const text = await (await fetch(server.url('/status'))).text()
  return Number(/Active connections: (\d+)/.exec(text)?.[1])
}
