/** `worker_connections` full of clients that wait: the oldest of them make room, whatever they speak. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GOAWAY, NO_ERROR } from '../../src/http/h2/wire/frames.ts'
import { H2Client } from '../harness/h2-client.ts'
import { Peer } from '../harness/peer.ts'
import { type Client, type Server, startViaduct } from '../harness/server.ts'

const CONF = (port = 1) => `
worker_processes 1;
events { worker_connections 10; }
http {
  lingering_timeout 60s;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    listen 127.0.0.1:%%PORT_1%% proxy_protocol;
    location / { return 200 ok; }
    location /busy { proxy_pass http://127.0.0.1:${port}; }
  }
  server { listen 127.0.0.1:%%PORT_2%%; http2 on; return 200 ok; }
}`

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const ENOUGH = /\[warn\] .*: 10 worker_connections are not enough, reusing connections$/m

async function ask(server: Server): Promise<string> {
  return server.raw('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
}

async function fill(server: Server, how: (client: Client) => Promise<unknown>, n = 0): Promise<Client[]> {
  const clients: Client[] = []
  for (let i = 0; i < 14; i++) {
    const client = await server.connect(n)
    clients.push(client)
    await how(client)
  }
  return clients
}

const IDLE: readonly (readonly [what: string, port: number, how: (client: Client) => Promise<unknown>])[] = [
  [
    'kept alive',
    0,
    async (client) => {
      client.write(GET)
      await client.until(/ok$/)
    },
  ],
  ['without a byte', 0, async () => {}],
  ['before the PROXY header', 1, async () => {}],
  ['before the preface', 2, async () => {}],
]

test('clients that wait make room', async (t) => {
  await using server = await startViaduct(CONF())
  for (const [what, port, how] of IDLE) {
    await t.test(what, async () => {
      const clients = await fill(server, how, port)
      assert.match(await ask(server), /ok$/)
      await clients[0]!.rest()
      assert.ok(!clients.at(-1)!.closed, 'the youngest stays')
      for (const client of clients) client.close()
    })
  }
  assert.match(server.errorLog(), ENOUGH)
})

test('HTTP/2: with GOAWAY', async () => {
  await using server = await startViaduct(CONF())
  const clients: H2Client[] = []
  for (let i = 0; i < 14; i++) {
    const client = await H2Client.connect(server.port(2))
    clients.push(client)
    client.request(1)
    await client.response(1)
  }
  assert.equal((await clients[0]!.goAway()).code, NO_ERROR)
  assert.ok(!clients.at(-1)!.frames.some((frame) => frame.type === GOAWAY))
  for (const client of clients) client.socket.destroy()
})

test('who works is left alone, and there is an alert', async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(CONF(peer.port), { alerts: true })
  const clients: Client[] = []
  for (let i = 0; i < 10; i++) {
    const client = await server.connect()
    clients.push(client)
    client.write('GET /busy HTTP/1.1\r\nHost: a\r\n\r\n')
    await peer.until(() => peer.requests.length === i + 1)
  }
  assert.equal(await ask(server), '')
  await server.logged(/\[alert\] .*: 10 worker_connections are not enough$/m)
  assert.ok(clients.every((client) => !client.closed))
  for (const client of clients) client.close()
})
