/** Two Go servers behind a group with keepalive, as guides configure them: only addresses are replaced. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'
import { BackEnd } from './back-ends.ts'

const USERS = 8
const REQUESTS_EACH = 250
/** Shorter than the proxy keeps connections: it must see them go. */
const IDLE = '500ms'
const IDLE_MS = 700

const running = new AsyncDisposableStack()
let server: Server
let servers: readonly BackEnd[]

before(async () => {
  servers = await BackEnd.go([IDLE, IDLE, '1m', '1m'])
  for (const one of servers) running.use(one)
  server = running.use(
    await startViaduct(
      `worker_processes 1;
      http {
        upstream goapp {
          server 127.0.0.1:${servers[0]!.port};
          server 127.0.0.1:${servers[1]!.port};
          keepalive 64;
        }
        upstream patient {
          server 127.0.0.1:${servers[2]!.port};
          server 127.0.0.1:${servers[3]!.port};
          keepalive 64;
        }
        server {
          listen 127.0.0.1:%%PORT_0%%;
          server_name service.example.com;
          client_max_body_size 50m;
          location / {
            proxy_pass http://goapp;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            include proxy-headers.conf;
            proxy_connect_timeout 3s;
            proxy_read_timeout 30s;
            proxy_request_buffering off;
          }
          location /healthz {
            proxy_pass http://goapp;
            access_log off;
            proxy_connect_timeout 2s;
            proxy_read_timeout 2s;
          }
          location = /kept {
            proxy_pass http://patient/healthz;
          }
        }
      }`,
      {
        files: {
          'proxy-headers.conf': `proxy_set_header Host $host;
          proxy_set_header X-Real-IP $remote_addr;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
          proxy_set_header X-Forwarded-Proto $scheme;
          proxy_set_header X-Forwarded-Port $server_port;`,
        },
      },
    ),
  )
})
after(() => running.disposeAsync())

interface Counts {
  readonly connections: number
  readonly requests: number
}

/** What both servers of the group `patient` have had together. */
async function counts(): Promise<Counts> {
  const each = servers.slice(2).map(async ({ port }) => {
    const response = await fetch(`http://127.0.0.1:${port}/counts`)
    return (await response.json()) as Counts
  })
  const [a, b] = await Promise.all(each)
  return { connections: a!.connections + b!.connections, requests: a!.requests + b!.requests }
}

test('the headers arrive as the configuration says, and none that closes', async () => {
  const response = await fetch(server.url('/request'), { headers: { 'X-Forwarded-For': '10.1.1.1' } })
  const { headers, ...request } = (await response.json()) as { headers: Record<string, string[]> }
  assert.deepEqual(request, { host: '127.0.0.1', proto: 'HTTP/1.1', close: false })
  assert.deepEqual(headers['X-Real-Ip'], ['127.0.0.1'])
  assert.deepEqual(headers['X-Forwarded-For'], ['10.1.1.1, 127.0.0.1'])
  assert.deepEqual(headers['X-Forwarded-Port'], [`${server.port()}`])
  assert.equal(headers['Connection'], undefined)
})

test('connections are kept: as many as there are users, however many requests', async (t) => {
  const before = await counts()
  const user = async (): Promise<void> => {
    for (let n = 0; n < REQUESTS_EACH; n++) assert.equal(await (await fetch(server.url('/kept'))).text(), 'ok')
  }
  await Promise.all(Array.from({ length: USERS }, user))
  const { connections, requests } = await counts()
  const opened = connections - before.connections
  t.diagnostic(`${requests - before.requests} requests, ${opened} connections`)
  assert.ok(requests - before.requests >= USERS * REQUESTS_EACH)
  // Each user may meet each server, and the two that count connect themselves.
  assert.ok(opened <= 2 * USERS + 2, `${opened} connections`)
})

test('connections that the server closes when idle are replaced silently, for requests of every kind', async () => {
  const body = new Uint8Array(300_000).map((_, i) => i % 251)
  const sha256 = createHash('sha256').update(body).digest('hex')
  for (let round = 0; round < 3; round++) {
    const posts = Array.from({ length: USERS }, async () => {
      const response = await fetch(server.url('/upload'), { method: 'POST', body })
      assert.deepEqual(await response.json(), { size: body.length, sha256, trailer: null })
    })
    await Promise.all(posts)
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
  }
})

test('an upload in chunks of 20 MB is passed on, and a stream comes back in full', async () => {
  const piece = Buffer.alloc(64 * 1024, 'u')
  const hash = createHash('sha256')
  const request = http.request(server.url('/upload'), { method: 'POST', agent: false })
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>
  for (let n = 0; n < 320; n++) {
    hash.update(piece)
    if (!request.write(piece)) await once(request, 'drain')
  }
  request.end()
  const [response] = await answered
  let text = ''
  for await (const bytes of response) text += bytes
  assert.deepEqual(JSON.parse(text), { size: 320 * piece.length, sha256: hash.digest('hex'), trailer: null })
  const stream = await fetch(server.url('/stream'))
  assert.equal(await stream.text(), [0, 1, 2, 3, 4].map((n) => `piece ${n}\n`).join(''))
})

test('a handler that panics breaks the answer off, and the next request is served', async () => {
  const response = await fetch(server.url('/panic'))
  await assert.rejects(response.text())
  assert.equal(await (await fetch(server.url('/healthz'))).text(), 'ok')
})

test('one server dies, and the other answers', async () => {
  await servers[0]!.kill()
  for (let n = 0; n < 20; n++) assert.equal(await (await fetch(server.url('/healthz'))).text(), 'ok')
})
