/**
 * An application that moved from `proxy_pass http://name:port` to groups with `keepalive`, as its task said: how many
 * requests reuse a connection, beside WebSockets on the same group, and what it was before.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { type Server, startViaduct } from '../harness/server.ts'

/** "64 handles ~20-30 concurrent users". */
const USERS = 25
const SOCKETS = 10
const REQUESTS = 20_000
/** A connection is closed after 1000 requests (`keepalive_requests`), so that this is also the best there is. */
const REUSED_MIN = 0.999

const running = new AsyncDisposableStack()
let server: Server

/** A service that counts what it gets. */
class Service implements Disposable {
  connections = 0
  requests = 0
  /** `Connection` as it arrived, each value once. */
  readonly connectionFields = new Set<string | undefined>()
  readonly #server: http.Server

  private constructor() {
    this.#server = http.createServer((request, response) => {
      this.requests++
      this.connectionFields.add(request.headers.connection)
      request.resume().on('end', () => response.end(`${request.method} ${request.url}`))
    })
    this.#server.keepAliveTimeout = 60_000
    this.#server.on('connection', () => this.connections++)
    const sockets = new WebSocketServer({ server: this.#server, path: '/ws' })
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))))
  }

  static async start(): Promise<Service> {
    const service = new Service()
    await once(service.#server.listen(0, '127.0.0.1'), 'listening')
    return service
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  reset(): void {
    this.connections = 0
    this.requests = 0
    this.connectionFields.clear()
  }

  [Symbol.dispose](): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

let gateway: Service
let authApi: Service
let dashboard: Service

before(async () => {
  gateway = running.use(await Service.start())
  authApi = running.use(await Service.start())
  dashboard = running.use(await Service.start())
  server = running.use(
    await startViaduct(`worker_processes 1;
      events { worker_connections 1024; }
      http {
        access_log off;
        upstream gateway {
          server 127.0.0.1:${gateway.port};
          keepalive 64;
        }
        upstream stack_auth_api {
          server 127.0.0.1:${authApi.port};
          keepalive 16;
        }
        upstream stack_auth_dashboard {
          server 127.0.0.1:${dashboard.port};
          keepalive 8;
        }
        server {
          listen 127.0.0.1:%%PORT_0%%;
          # Regular API — enable keepalive
          location /api/ {
            proxy_pass http://gateway/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";  # Empty = HTTP/1.1 default (keep-alive)
          }
          # WebSocket — needs upgrade
          location /api/ws {
            proxy_pass http://gateway/ws;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";  # Correct for WS
          }
          location /auth/ { proxy_pass http://stack_auth_api/; proxy_http_version 1.1; proxy_set_header Connection ""; }
          location /dashboard/ { proxy_pass http://stack_auth_dashboard/; proxy_http_version 1.1; proxy_set_header Connection ""; }
          # What the task found.
          location /old/ {
            proxy_pass http://127.0.0.1:${gateway.port}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "upgrade";  # Problem: prevents keepalive on non-WS
          }
        }
      }`),
  )
})
after(() => running.disposeAsync())

const agent = new http.Agent({ keepAlive: true, maxSockets: USERS })
after(() => agent.destroy())

async function call(target: string, method = 'GET', body = ''): Promise<string> {
  const request = http.request(server.url(target), { method, agent, headers: { 'Content-Length': body.length } })
  request.end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const bytes of response) text += bytes
  return text
}

/** `count` requests by all users together, some with a body. */
async function useApi(prefix: string, count: number): Promise<void> {
  let left = count
  const user = async (): Promise<void> => {
    while (left > 0) {
      const n = --left
      const [method, body] = n % 4 === 0 ? ['POST', 'x'.repeat(n % 5000)] : ['GET', '']
      assert.equal(await call(`${prefix}call?n=${n}`, method, body), `${method} /call?n=${n}`)
    }
  }
  await Promise.all(Array.from({ length: USERS }, user))
}

test('requests reuse connections while WebSockets come and go', async (t) => {
  await useApi('/api/', 500)
  gateway.reset()
  const sockets = Array.from({ length: SOCKETS }, async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port()}/api/ws`)
    await once(socket, 'open')
    for (let n = 0; n < 20; n++) {
      socket.send(`${n}`)
      assert.equal(String((await once(socket, 'message'))[0]), `${n}`)
    }
    socket.close()
    await once(socket, 'close')
  })
  await Promise.all([useApi('/api/', REQUESTS), ...sockets])
  // Each WebSocket has one of its own.
  const opened = gateway.connections - SOCKETS
  const reused = 1 - opened / gateway.requests
  t.diagnostic(`${gateway.requests} requests, ${opened} new connections: ${(reused * 100).toFixed(3)} % reused one`)
  assert.ok(reused >= REUSED_MIN, `${opened} connections for ${gateway.requests} requests`)
  assert.deepEqual([...gateway.connectionFields], [undefined])
})

test('each group keeps its own', async () => {
  for (let n = 0; n < 50; n++) {
    assert.equal(await call('/auth/token'), 'GET /token')
    assert.equal(await call('/dashboard/'), 'GET /')
  }
  assert.deepEqual([authApi.connections, dashboard.connections], [1, 1])
})

test('as it was before, every request opened one', async (t) => {
  gateway.reset()
  await useApi('/old/', 200)
  t.diagnostic(`${gateway.requests} requests, ${gateway.connections} new connections`)
  assert.equal(gateway.connections, gateway.requests)
})
