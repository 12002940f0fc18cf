/** Our own resources of the API: times with quantiles, reloads, workers, certificates, top lists, the last requests. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { disposeAll } from '../harness/dispose.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
const pair = certificates.make('one.example', { names: ['one.example', 'two.example'] })
let server: Server
let peer: Peer

const confOf = (more = ''): string => `
worker_processes 2;
http {
  upstream u { zone u 64k; server 127.0.0.1:${peer.port}; }
  ${more}
  server {
    listen 127.0.0.1:%%PORT_0%%;
    status_zone site;
    location / { status_top on; status_requests 100%; proxy_pass http://u; }
    location /quiet { status_requests 0% slow=10s; return 204; }
    location /api { api; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%% ssl; server_name one.example;
    ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};
  }
}`

before(async () => {
  peer = await Peer.start(({ line }) => (/missing/.test(line) ? reply('no', [], '404 Not Found') : reply('yes')))
  server = await startViaduct(confOf())
})
after(() => disposeAll(server, peer, certificates))

async function own<T>(path: string): Promise<T> {
  const response = await fetch(server.url(`/api/viaduct/${path}`))
  assert.equal(response.status, 200)
  return (await response.json()) as T
}

async function get(target: string): Promise<void> {
  await server.raw(`GET ${target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`)
}

test('what was asked most, and what was asked last', async () => {
  for (let i = 0; i < 9; i++) await get('/often?secret=1')
  for (let i = 0; i < 3; i++) await get('/missing')
  await get('/once')
  await get('/quiet')
  interface Top {
    text: string
    count: number
  }
  const top = await own<{ recorded: boolean; urls: Top[]; clients: Top[]; errors: Top[] }>('top')
  assert.equal(top.recorded, true)
  assert.deepEqual(
    top.urls.map(({ text }) => text),
    ['/often', '/missing', '/once'],
  )
  assert.ok(Math.abs(top.urls[0]!.count - 9) < 5)
  assert.deepEqual(
    top.clients.map(({ text }) => text),
    ['127.0.0.1'],
  )
  assert.deepEqual(
    top.errors.map(({ text }) => text),
    ['404 /missing'],
  )
  const { requests, written } = await own<{ written: number; requests: Record<string, unknown>[] }>('requests?count=2')
  assert.equal(written, 13)
  assert.deepEqual(
    requests.map(({ uri, status }) => `${uri} ${status}`),
    ['/once 200', '/missing 404'],
  )
  const [first] = requests
  assert.deepEqual(
    [first!['method'], first!['host'], first!['location'], first!['client']],
    ['GET', 'shop.example', '/', '127.0.0.1'],
  )
  const [attempt] = first!['upstream'] as Record<string, unknown>[]
  assert.deepEqual([attempt!['address'], attempt!['status']], [`127.0.0.1:${peer.port}`, 200])
  assert.ok((attempt!['response'] as number) >= 0 && (first!['ms'] as number) >= 0)
  assert.ok(!JSON.stringify(await own('requests')).includes('secret'))
})

test('times of zones and servers, with quantiles', async () => {
  interface Times {
    count: number
    p50: number
    p99: number
    buckets: [number | null, number][]
  }
  const { servers } = await own<{ servers: Record<string, { last: number; times: Times }> }>('zones')
  const { last, times } = servers['site']!
  assert.ok(Date.now() - last < 60_000 && times.count >= 14)
  assert.equal(
    times.buckets.reduce((sum, [, count]) => sum + count, 0),
    times.count,
  )
  assert.ok(times.p50 <= times.p99)
  const [one] = (await own<Record<string, { state: string; times: Times }[]>>('upstreams'))['u']!
  assert.deepEqual([one!.state, one!.times.count], ['up', 13])
})

test('the last minutes, which the server remembers', async () => {
  interface History extends Readonly<Record<string, readonly (number | null)[]>> {
    readonly at: readonly number[]
  }
  const get = () => own<History>('history')
  await server.until('there are samples with all requests', async () => ((await get())['2xx']?.at(-1) ?? 0) >= 10)
  const history = await get()
  const { at, ...numbers } = history
  assert.ok(at.every((ms, n) => n === 0 || ms > at[n - 1]!) && Date.now() - at.at(-1)! < 60_000)
  for (const name of [
    'requests',
    '4xx',
    'received',
    'sent',
    'accepted',
    'active',
    'idle',
    'p50',
    'p99',
    'busy',
    'delay',
  ]) {
    assert.equal(numbers[name]?.length, at.length, name)
  }
  assert.equal(numbers['4xx']!.at(-1), 3)
  assert.ok(
    numbers['p50']!.some((ms) => ms !== null),
    'times of the last seconds',
  )
})

test('many resources in one answer, and whether they may be changed', async () => {
  const paths = [
    '9/connections',
    'viaduct/requests?count=1',
    '9/http/server_zones/site',
    '9/http/server_zones/none',
    '10/nginx',
    'viaduct/many?of=9/ssl',
    '9/nginx?fields=version,pid',
    '',
  ]
  const query = paths.map((path) => `of=${encodeURIComponent(path)}`).join('&')
  const all = await own<Record<string, Record<string, unknown>>>(`many?${query}`)
  assert.deepEqual(Object.keys(all).toSorted(), paths.toSorted())
  assert.ok((all['9/connections']!['accepted'] as number) > 0)
  assert.equal((all['viaduct/requests?count=1']!['requests'] as unknown[]).length, 1)
  assert.ok((all['9/http/server_zones/site']!['requests'] as number) > 0)
  const codes = paths.map((path) => (all[path]!['error'] as { code: string } | undefined)?.code)
  assert.deepEqual(codes, [
    undefined,
    undefined,
    undefined,
    'ServerZoneNotFound',
    'PathNotFound',
    'PathNotFound',
    undefined,
    'PathNotFound',
  ])
  assert.deepEqual(Object.keys(all['9/nginx?fields=version,pid']!).toSorted(), ['pid', 'version'])
  assert.deepEqual(await own('many'), {})
  assert.equal((await fetch(server.url(`/api/viaduct/many?${'of=9/ssl&'.repeat(33)}`))).status, 400)
  assert.deepEqual(await own('access'), { write: false })
  assert.equal((await fetch(server.url('/api/viaduct/many'), { method: 'DELETE' })).status, 405)
})

test('since when a server is in its state, and what its last checks found', async () => {
  let well = true
  await using back = await Peer.start(({ line }) => reply('ok', [], /health/.test(line) && !well ? '500 No' : '200 OK'))
  await using checked = await startViaduct(`worker_processes 2; http {
    upstream u { zone u 64k; server 127.0.0.1:${back.port}; server 127.0.0.1:1 down; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { proxy_pass http://u; health_check interval=50ms uri=/health; }
      location /api { api write=on; } } }`)
  interface Story {
    since: number
    state: string
    changes: { at: number; state: string }[]
    last_checks: boolean[]
  }
  const stories = async (): Promise<Story[]> =>
    ((await (await fetch(checked.url('/api/viaduct/upstreams'))).json()) as { u: Story[] }).u
  const seen = async (n: number, states: string): Promise<void> =>
    checked.until(states, async () => (await stories())[n]!.changes.map(({ state }) => state).join(' ') === states)
  await seen(0, 'up')
  await seen(1, 'down')
  well = false
  await seen(0, 'up unhealthy')
  const [ill] = await stories()
  assert.deepEqual([ill!.since, ill!.last_checks.at(-1)], [ill!.changes[1]!.at, false])
  assert.ok(ill!.last_checks.includes(true) && ill!.since > ill!.changes[0]!.at)
  well = true
  await seen(0, 'up unhealthy up')
  await checked.reload()
  await fetch(checked.url('/api/9/http/upstreams/u/servers/0'), { method: 'PATCH', body: '{"drain":true}' })
  await seen(0, 'up unhealthy up draining')
  assert.deepEqual(await (await fetch(checked.url('/api/viaduct/access'))).json(), { write: true })
})

test('workers, reloads and certificates', async () => {
  await server.until('both workers tell of themselves', async () => (await own<object[]>('workers')).length === 2)
  const workers = await own<{ heapBytes: number; busy: number; delay: object }[]>('workers')
  assert.ok(workers.every(({ heapBytes, busy }) => heapBytes > 1e6 && busy >= 0 && busy <= 1))
  await server.reloadRefused(confOf('what;'))
  await server.reload(confOf('server_tokens off;'))
  interface Reload {
    ok: boolean
    generation: number
    changed: string[]
    problem: string
  }
  const { reloads, refused } = await own<{ refused: number; reloads: Reload[] }>('reloads')
  assert.deepEqual([refused, reloads.map(({ ok }) => ok)], [1, [true, false, true]])
  assert.match(reloads[1]!.problem, /unknown directive "what"/)
  assert.deepEqual(reloads[2]!.changed, [server.prefix.path('nginx.conf')])
  const [certificate] = await own<{ names: string[]; daysLeft: number; file: string }[]>('certificates')
  assert.deepEqual([certificate!.names, certificate!.file], [['one.example', 'two.example'], pair.certFile])
  assert.ok(certificate!.daysLeft > 0)
  assert.deepEqual(await own('caches'), {})
})
