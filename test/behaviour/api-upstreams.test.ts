/** `http/upstreams` of the API: what is counted of servers, and changes that hold in all workers, over reloads and restarts. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { disposeAll } from '../harness/dispose.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

let server: Server
let one: Peer
let two: Peer

const confOf = (servers: string, state = 'state %%DIR%%/state/kept.conf;') => `
worker_processes 2;
http {
  upstream fixed { zone fixed 64k; ${servers} }
  upstream kept { zone kept 64k; ${state} }
  upstream alone { server 127.0.0.1:1; }
  upstream checked { zone checked 64k; server 127.0.0.1:1 down; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location /fixed { proxy_pass http://fixed; proxy_next_upstream error; }
    location /kept { proxy_pass http://kept; }
    location /alone { proxy_pass http://alone; }
    location /checked { proxy_pass http://checked; health_check interval=100ms; }
    location /api { api write=on; }
    location /read { api; }
  }
}`

let servers = ''
before(async () => {
  one = await Peer.start(() => reply('one'))
  two = await Peer.start(({ line }) => (/missing/.test(line) ? reply('two', [], '404 Not Found') : reply('two')))
  servers = `server 127.0.0.1:${one.port}; server 127.0.0.1:${two.port} weight=2 max_fails=0 backup;`
  server = await startViaduct(confOf(servers), {
    prepare: (dir) => {
      fs.mkdirSync(`${dir}/state`)
      fs.chmodSync(`${dir}/state`, 0o777)
    },
  })
})
after(() => disposeAll(server, one, two))

type Json = Readonly<Record<string, unknown>>

async function api(path: string, method = 'GET', body?: object | string): Promise<{ status: number; body: never }> {
  const text = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
  const response = await fetch(server.url(`/api/9/http/upstreams${path}`), { method, ...text })
  const answer = await response.text()
  return { status: response.status, body: (answer === '' ? undefined : JSON.parse(answer)) as never }
}

async function get(target: string): Promise<string> {
  return await server.raw(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
}

/** Bodies of so many requests, which come to both workers. */
async function bodies(target: string, count = 12): Promise<string> {
  const all = new Set<string>()
  for (let i = 0; i < count; i++) all.add((await get(target)).split('\r\n\r\n')[1]!)
  return [...all].toSorted().join(' ')
}

const codeOf = ({ status, body }: { status: number; body: never }): string =>
  `${status} ${(body as { error?: { code?: string } }).error?.code}`

test('what is counted of servers', async () => {
  for (let i = 0; i < 10; i++) await get('/fixed')
  const { body } = await api('/fixed/')
  const { peers, zone, zombies } = body as { peers: Json[]; zone: string; zombies: number }
  assert.deepEqual([zone, zombies, peers.length], ['fixed', 0, 2])
  const [first, second] = peers
  const { responses } = first as { responses: Json }
  assert.deepEqual(
    [first!['id'], first!['server'], first!['state'], first!['backup'], first!['requests'], first!['active']],
    [0, `127.0.0.1:${one.port}`, 'up', false, 10, 0],
  )
  assert.deepEqual([responses['2xx'], responses['codes'], responses['total']], [10, { 200: 10 }, 10])
  assert.equal(first!['received'], 10 * reply('one').length)
  assert.equal(first!['sent'], one.received.join('').length)
  const hist = first!['response_time_hist'] as { count: number; buckets: Record<string, number> }
  assert.equal(hist.count, 10)
  assert.equal(
    Object.values(hist.buckets).reduce((sum, count) => sum + count, 0),
    10,
  )
  assert.deepEqual(Object.keys(hist.buckets).at(-1), 'inf')
  assert.match(first!['selected'] as string, /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual([second!['backup'], second!['weight'], second!['requests']], [true, 2, 0])
  assert.equal(codeOf(await api('/alone')), '400 UpstreamStatic')
  assert.equal(codeOf(await api('/none')), '404 UpstreamNotFound')
  assert.deepEqual((await api('/?fields=')).body, ['fixed', 'kept', 'checked'])
  const { keepalive } = (await api('/fixed')).body as { keepalive: number }
  assert.equal(keepalive, one.sockets.filter((socket) => !socket.destroyed).length, 'of both workers')
  assert.equal((await api('/fixed', 'DELETE')).status, 204)
  assert.equal(((await api('/fixed')).body as { peers: Json[] }).peers[0]!['requests'], 0)
})

test('servers are added, changed and removed, at once for all workers', async () => {
  const added = await api('/fixed/servers', 'POST', { server: `127.0.0.1:${two.port + 0}`, service: undefined })
  assert.equal(codeOf(added), '409 EntryExists')
  const other = await Peer.start(() => reply('other'))
  const made = await fetch(server.url('/api/9/http/upstreams/fixed/servers/'), {
    method: 'POST',
    body: JSON.stringify({ server: `127.0.0.1:${other.port}`, max_fails: 3, fail_timeout: '7s', route: 'r' }),
  })
  assert.deepEqual([made.status, made.headers.get('location')], [201, '/api/9/http/upstreams/fixed/servers/2/'])
  const expected = {
    id: 2,
    server: `127.0.0.1:${other.port}`,
    weight: 1,
    max_conns: 0,
    max_fails: 3,
    fail_timeout: '7s',
    slow_start: '0s',
    route: 'r',
    backup: false,
    down: false,
  }
  assert.deepEqual(await made.json(), expected)
  assert.equal(await bodies('/fixed'), 'one other')
  assert.deepEqual((await api('/fixed/servers/2/')).body, expected)
  assert.equal((await api('/fixed/servers/0', 'PATCH', { down: true })).status, 200)
  assert.equal(await bodies('/fixed'), 'other')
  assert.equal((await api('/fixed/servers/2', 'PATCH', { drain: true })).status, 200)
  assert.equal(await bodies('/fixed'), 'two', 'the backup')
  const states = ((await api('/fixed')).body as { peers: Json[] }).peers.map((peer) => peer['state'])
  assert.deepEqual(states, ['down', 'up', 'draining'])
  const left = await api('/fixed/servers/2', 'DELETE')
  assert.deepEqual([left.status, (left.body as Json[]).map(({ id }) => id)], [200, [0, 1]])
  assert.equal((await api('/fixed/servers/0', 'PATCH', { down: 'false', weight: '5', fail_timeout: '20' })).status, 200)
  assert.equal(await bodies('/fixed'), 'one')
  await other[Symbol.asyncDispose]()
})

test('changes outlive a reload until the configuration says something else', async () => {
  assert.equal((await api('/fixed/servers', 'POST', { server: `127.0.0.1:${two.port}`, id: 7 })).status, 409)
  assert.equal((await api('/fixed/servers/1', 'DELETE')).status, 200)
  assert.equal((await api('/fixed/servers', 'POST', { server: `127.0.0.1:${two.port}` })).status, 201)
  assert.equal(await bodies('/fixed'), 'one two')
  await server.reload()
  assert.equal(await bodies('/fixed'), 'one two')
  assert.deepEqual(
    ((await api('/fixed/servers')).body as Json[]).map(({ id, weight }) => [id, weight]),
    [
      [0, 5],
      [3, 1],
    ],
  )
  await server.reload(confOf(`server 127.0.0.1:${two.port};`))
  assert.equal(await bodies('/fixed'), 'two')
  assert.deepEqual(
    ((await api('/fixed/servers')).body as Json[]).map(({ id }) => id),
    [0],
  )
})

test('state keeps the list over restarts, and its numbers over reloads', async () => {
  assert.match(await get('/kept'), /^HTTP\/1\.1 502 /)
  for (const port of [one.port, two.port]) {
    assert.equal((await api('/kept/servers', 'POST', { server: `127.0.0.1:${port}`, weight: 2 })).status, 201)
  }
  assert.equal((await api('/kept/servers/0', 'DELETE')).status, 200)
  assert.equal(server.prefix.read('state/kept.conf'), `server 127.0.0.1:${two.port} weight=2;\n`)
  await server.reload()
  assert.deepEqual(
    ((await api('/kept/servers')).body as Json[]).map(({ id }) => id),
    [1],
  )
  assert.equal(await bodies('/kept'), 'two')
  server.prefix.write('state/kept.conf', `server 127.0.0.1:${one.port};\n`)
  await server.reload()
  assert.equal(await bodies('/kept'), 'one', 'what somebody writes by hand counts')
  assert.deepEqual(
    ((await api('/kept/servers')).body as Json[]).map(({ id }) => id),
    [0],
  )
})

test('what cannot be kept is not changed', async () => {
  fs.chmodSync(server.prefix.path('state'), 0o555)
  fs.mkdirSync(server.prefix.path('elsewhere'))
  fs.renameSync(server.prefix.path('state'), server.prefix.path('gone'))
  const refused = await api('/kept/servers', 'POST', { server: '127.0.0.1:9' })
  assert.equal(codeOf(refused), '500 StateFileError')
  assert.match(JSON.stringify(refused.body), /\(2: No such file or directory\)/)
  fs.renameSync(server.prefix.path('gone'), server.prefix.path('state'))
  fs.chmodSync(server.prefix.path('state'), 0o777)
  assert.equal(((await api('/kept/servers')).body as Json[]).length, 1)
})

test('who checks the health of servers learns of new ones without a request', async () => {
  assert.equal((await api('/checked/servers', 'POST', { server: `127.0.0.1:${one.port}` })).status, 201)
  await server.until('checks', async () => {
    const { peers } = (await api('/checked')).body as { peers: { health_checks: { checks: number } }[] }
    return peers[1]!.health_checks.checks > 1
  })
  assert.equal((await api('/checked/servers/1', 'DELETE')).status, 200)
  const seen = one.requests.length
  await server.until('no more checks', async () => {
    const before = one.requests.length
    await new Promise((resolve) => setTimeout(resolve, 250))
    return one.requests.length === before
  })
  assert.ok(one.requests.length >= seen)
})

test('mistakes are told as NGINX Plus tells them', async () => {
  const cases: readonly (readonly [object | string, string])[] = [
    ['{', '415 JsonError'],
    ['[]', '415 JsonError'],
    [{}, '400 UpstreamConfFormatError'],
    [{ server: '127.0.0.1:9', what: 1 }, '400 UpstreamConfFormatError'],
    [{ server: '127.0.0.1:9', weight: [1] }, '400 UpstreamConfFormatError'],
    [{ server: '127.0.0.1:9', weight: 0 }, '400 UpstreamBadWeight'],
    [{ server: '127.0.0.1:9', max_conns: -1 }, '400 UpstreamBadMaxConns'],
    [{ server: '127.0.0.1:9', max_fails: 1.5 }, '400 UpstreamBadMaxFails'],
    [{ server: '127.0.0.1:9', fail_timeout: 'soon' }, '400 UpstreamBadFailTimeout'],
    [{ server: '127.0.0.1:9', slow_start: '1x' }, '400 UpstreamBadSlowStart'],
    [{ server: '127.0.0.1:9', route: 'x'.repeat(33) }, '400 UpstreamBadRoute'],
    [{ server: '127.0.0.1:9', down: 'yes' }, '400 UpstreamConfFormatError'],
    [{ server: '127.0.0.1:x' }, '400 UpstreamBadAddress'],
    [{ server: '127.0.0.1:9; drop' }, '400 UpstreamBadAddress'],
    [{ server: 'a.test:9', service: 'http' }, '400 UpstreamBadAddress'],
    [{ server: 'a.test:9' }, '400 UpstreamConfNoResolver'],
  ]
  for (const [body, expected] of cases) {
    assert.equal(codeOf(await api('/fixed/servers', 'POST', body)), expected, JSON.stringify(body))
  }
  assert.equal(codeOf(await api('/fixed/servers/x', 'PATCH', {})), '400 UpstreamBadServerId')
  assert.equal(codeOf(await api('/fixed/servers/99', 'PATCH', {})), '404 UpstreamServerNotFound')
  assert.equal(codeOf(await api('/fixed/servers/99', 'DELETE')), '404 UpstreamServerNotFound')
  assert.equal(codeOf(await api('/alone/servers', 'POST', {})), '400 UpstreamStatic')
  assert.equal(codeOf(await api('/DASHBOARD_INIT/servers/__TEST_FOR_WRITE__/', 'DELETE')), '404 UpstreamNotFound')
  const probe = await fetch(server.url('/read/9/http/upstreams/fixed/servers/0'), { method: 'DELETE' })
  assert.equal(probe.status, 405)
})
