/** `check` as Tengine has it: servers rise and fall, and a page tells where they are. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { disposeAll } from '../harness/dispose.ts'
import { Peer, reply } from '../harness/peer.ts'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

const CONF = `
worker_processes 2;
http {
  check_shm_size 1M;
  upstream web {
    ip_hash;
    server 127.0.0.1:A weight=3;
    server 127.0.0.1:B backup;
    check interval=30 rise=2 fall=3 timeout=1000 type=http;
    check_keepalive_requests 4;
    check_http_send "GET /health HTTP/1.0\\r\\nConnection: keep-alive\\r\\n\\r\\n";
    check_http_expect_alive http_2xx http_4xx;
  }
  upstream ports { server 127.0.0.1:A; server 127.0.0.1:%%PORT_1%%; check interval=30 fall=1 default_down=false; }
  upstream unchecked { server 127.0.0.1:A; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://web; }
    location /ports { proxy_pass http://ports; proxy_next_upstream off; }
    location /status { check_status; }
    location /csv { check_status csv; }
  }
}`

let health = reply('', [], '500 No')
let a: Peer
let b: Peer
let server: Server

before(async () => {
  a = await Peer.start(({ line }) => (line.includes(' /health ') ? health : reply('a')))
  b = await Peer.start(({ line }) => (line.includes(' /health ') ? reply('', [], '404 No') : reply('b')))
  server = await startViaduct(CONF.replaceAll(':A', `:${a.port}`).replaceAll(':B', `:${b.port}`))
})
after(() => disposeAll(server, a, b))

async function get(target: string): Promise<string> {
  const response = await fetch(server.url(target))
  const body = await response.text()
  return response.status === 200 ? body : String(response.status)
}

interface Listed {
  readonly servers: {
    readonly total: number
    readonly generation: number
    readonly server: readonly Readonly<Record<string, unknown>>[]
  }
}

async function listed(query: string): Promise<Listed['servers']> {
  return (JSON.parse(await get(`/status?format=json${query}`)) as Listed).servers
}

test('servers are down until they have risen, and down again after they fell', async () => {
  await server.until('the backup is up', async () => (await get('/')) === 'b')
  health = reply('')
  await server.until('the server is up', async () => (await get('/')) === 'a')
  await server.logged(
    /peer is healthy while checking status code, health check "" of peer 127.0.0.1:\d+ in upstream "web"/,
  )
  health = reply('', [], '302 Found')
  await server.until('the backup serves', async () => (await get('/')) === 'b')
  health = reply('')
})

test('a connection is used for as many checks as it may be', async () => {
  const checks = (): number[] => {
    const counts = b.sockets.map(() => 0)
    for (const { connection, line } of b.requests) if (line.includes(' /health ')) counts[connection]!++
    return counts.filter((count) => count > 0)
  }
  await server.until('two connections are used up', () => checks().filter((count) => count === 4).length > 1)
  assert.ok(checks().every((count) => count <= 4))
})

test('a check of type tcp wants a connection and no more', async () => {
  await server.logged(/peer is unhealthy while connecting to upstream, .* in upstream "ports"/)
  for (let i = 0; i < 4; i++) assert.equal(await get('/ports'), 'a')
})

test('the page tells it in three forms', async () => {
  await server.until('all is settled', async () => (await listed('&status=down')).total === 1)
  const all = await listed('')
  assert.equal(all.total, 4)
  assert.deepEqual(
    all.server.map(({ index, upstream, name, status, type, port }) => [index, upstream, name, status, type, port]),
    [
      [0, 'web', `127.0.0.1:${a.port}`, 'up', 'http', 0],
      [1, 'web', `127.0.0.1:${b.port}`, 'up', 'http', 0],
      [2, 'ports', `127.0.0.1:${a.port}`, 'up', 'tcp', 0],
      [3, 'ports', `127.0.0.1:${server.port(1)}`, 'down', 'tcp', 0],
    ],
  )
  assert.match(await get('/csv'), /^0,web,127\.0\.0\.1:\d+,up,\d+,0,http,0\n1,web,/)
  assert.match(await get('/csv?status=down'), /^0,ports,127\.0\.0\.1:\d+,down,0,\d+,tcp,0\n$/)
  const page = await fetch(server.url('/status'))
  assert.equal(page.headers.get('content-type'), 'text/html')
  assert.match(await page.text(), /number: 4, up: 3, down: 1</)
})

test('what is wrong is told', async () => {
  const cases: readonly [string, RegExp][] = [
    ['check type=smtp;', /invalid check type "smtp"/],
    ['check interval=1s;', /invalid parameter "interval=1s"/],
    ['check what=1;', /invalid parameter "what=1"/],
    ['check_http_expect_alive http_9xx;', /invalid value "http_9xx"/],
  ]
  for (const [line, message] of cases) {
    await using prefix = await Prefix.create(`events { } http { upstream u { server 127.0.0.1:1; ${line} } }`)
    assert.match((await prefix.run(['-t'])).stderr, message, line)
  }
})
