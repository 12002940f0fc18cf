/** The rest of the API: the server as a whole, TLS, caches, limits, resolvers, memory; and every path that tools ask for. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Certificates } from '../harness/certificates.ts'
import { disposeAll } from '../harness/dispose.ts'
import { DnsServer } from '../harness/dns.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { askTls, refusalOf } from '../harness/tls-client.ts'

const certificates = new Certificates()
const pair = certificates.make('one.example', { names: ['one.example'] })
const expired = certificates.make('late.example', { expired: true })
let server: Server
let peer: Peer
let dns: DnsServer

const confOf = (more = ''): string => `
worker_processes 2;
http {
  resolver 127.0.0.1:${dns.port} ipv6=off status_zone=names;
  proxy_cache_path %%DIR%%/cache keys_zone=pages:1m max_size=10m;
  limit_req_zone $arg_k zone=rate:1m rate=1r/m;
  limit_req_zone $arg_d zone=dry:1m rate=1r/m;
  limit_conn_zone $arg_k zone=conns:1m;
  ${more}
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location /cached { proxy_pass http://127.0.0.1:${peer.port}; proxy_cache pages; proxy_cache_valid 1h; proxy_cache_bypass $arg_b; }
    location /rate { limit_req zone=rate; return 204; try_files /x =404; }
    location /limited { limit_req zone=rate; limit_conn conns 5; empty_gif; }
    location /dry { limit_req zone=dry; limit_req_dry_run on; empty_gif; }
    location /name { proxy_pass http://$arg_h:${peer.port}/; }
    location /api { api write=on; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%% ssl;
    status_zone secure;
    ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};
    ssl_verify_client optional_no_ca; ssl_client_certificate ${pair.certFile};
    ssl_session_tickets on; ssl_protocols TLSv1.2 TLSv1.3;
    location / { return 200 ok; }
  }
}`

before(async () => {
  dns = await DnsServer.start()
  peer = await Peer.start(({ line }) => reply(line.includes('large') ? 'x'.repeat(1000) : 'page'))
  server = await startViaduct(confOf())
})
after(() => disposeAll(server, peer, dns, certificates))

async function api<T>(path: string, method = 'GET'): Promise<T> {
  const response = await fetch(server.url(`/api/9/${path}`), { method })
  const text = await response.text()
  assert.equal(response.status, text === '' ? 204 : 200, `${path}: ${text}`)
  return (text === '' ? undefined : JSON.parse(text)) as T
}

interface NginxObject {
  readonly version: string
  readonly build: string
  readonly address: string
  readonly generation: number
  readonly load_timestamp: string
  readonly timestamp: string
  readonly pid: number
  readonly ppid: number
}

type Counts = Readonly<Record<string, number>>

test('the server as a whole', async () => {
  const { build, generation, pid, ppid, load_timestamp, timestamp, address, version } = await api<NginxObject>('nginx')
  assert.match(version, /^1\.\d+\.\d+$/)
  assert.match(build, /^viaduct-/)
  assert.deepEqual([generation, ppid, address], [1, server.pid, '127.0.0.1'])
  assert.ok(pid !== ppid && Date.parse(load_timestamp) <= Date.parse(timestamp))
  const bad = confOf('no_such_directive;')
  await server.reloadRefused(bad)
  await server.reload(confOf())
  const again = await api<NginxObject>('nginx')
  assert.equal(again.generation, 2)
  assert.deepEqual(await api('processes'), { respawned: 0 })
})

test('connections, requests and workers add up', async () => {
  const connections = await api<Counts>('connections')
  const workers = await api<{ id: number; pid: number; connections: Counts; http: { requests: Counts } }[]>('workers')
  assert.deepEqual(
    workers.map(({ id }) => id),
    [0, 1],
  )
  assert.ok(workers[0]!.pid !== workers[1]!.pid)
  const accepted = workers.reduce((sum, worker) => sum + worker.connections['accepted']!, 0)
  assert.ok(accepted >= connections['accepted']!)
  assert.ok(connections['active']! >= 1 && connections['dropped'] === 0)
  assert.deepEqual(Object.keys(await api('http/requests')), ['total', 'current'])
  await api('workers/', 'DELETE')
  assert.equal((await api<Counts>('http/requests'))['total'], 1)
  assert.ok(/accepts handled/.test(server.errorLog()) === false)
})

test('handshakes with clients, of a server and of all', async () => {
  const first = await askTls(server.port(1), {})
  await askTls(server.port(1), { maxVersion: 'TLSv1.2', cert: expired.cert, key: expired.key })
  await assert.rejects(
    askTls(server.port(1), { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA256' }),
  )
  await refusalOf(server.port(1), { ca: expired.cert, rejectUnauthorized: true }).catch(() => {})
  assert.equal(first.status, 200)
  interface Tls {
    handshakes: number
    handshakes_failed: number
    no_common_cipher: number
    verify_failures: Counts
  }
  let { ssl } = await api<{ ssl: Tls }>('http/server_zones/secure')
  await server.until('the same of all', async () => {
    // What the last client said against our certificate may be heard of later.
    ssl = (await api<{ ssl: Tls }>('http/server_zones/secure')).ssl
    // Names are compared with what servers of groups have, never with what clients have.
    const own = { ...ssl, verify_failures: { ...ssl.verify_failures, hostname_mismatch: 0 } }
    return isDeepStrictEqual(own, await api<Tls>('ssl'))
  })
  assert.ok(!('hostname_mismatch' in ssl.verify_failures))
  assert.ok(ssl.handshakes >= 2 && ssl.handshakes_failed >= 1, JSON.stringify(ssl))
  assert.equal(ssl.no_common_cipher, 1)
  assert.ok(ssl.verify_failures['no_cert']! >= 1)
  assert.equal(ssl.verify_failures['expired_cert']! + ssl.verify_failures['other']!, 1)
  await api('ssl', 'DELETE')
  assert.equal((await api<Tls>('ssl')).handshakes, 0)
  assert.ok((await api<{ ssl: Tls }>('http/server_zones/secure')).ssl.handshakes > 0)
})

test('caches', async () => {
  const get = async (target: string): Promise<void> => void (await (await fetch(server.url(target))).text())
  await get('/cached/large')
  await get('/cached/large')
  await get('/cached/large?b=1')
  interface Kind {
    responses: number
    bytes: number
    responses_written?: number
    bytes_written?: number
  }
  const cache = await api<Record<string, Kind> & { size: number; max_size: number; cold: boolean }>('http/caches/pages')
  assert.deepEqual(cache['hit'], { responses: 1, bytes: 1000 })
  assert.deepEqual(cache['miss'], { responses: 1, bytes: 1000, responses_written: 1, bytes_written: 1000 })
  assert.deepEqual(cache['bypass'], { responses: 1, bytes: 1000, responses_written: 1, bytes_written: 1000 })
  assert.equal(cache.max_size, 10485760)
  assert.ok(cache.size > 1000)
  await api('http/caches/pages', 'DELETE')
  assert.equal((await api<Record<string, Kind>>('http/caches/pages'))['hit']!.responses, 0)
})

test('limits', async () => {
  for (let i = 0; i < 3; i++) await (await fetch(server.url('/limited?k=a'))).arrayBuffer()
  for (let i = 0; i < 3; i++) await (await fetch(server.url('/dry?d=a'))).arrayBuffer()
  const rates = await api<Record<string, Counts>>('http/limit_reqs')
  assert.deepEqual(rates, {
    rate: { passed: 1, delayed: 0, rejected: 2, delayed_dry_run: 0, rejected_dry_run: 0 },
    dry: { passed: 1, delayed: 0, rejected: 0, delayed_dry_run: 0, rejected_dry_run: 2 },
  })
  assert.deepEqual(await api('http/limit_conns/conns'), { passed: 1, rejected: 0, rejected_dry_run: 0 })
  await api('http/limit_reqs/rate', 'DELETE')
  assert.equal((await api<Counts>('http/limit_reqs/rate'))['rejected'], 0)
  const slabs = await api<Record<string, { slots: Record<string, Counts> }>>('slabs')
  assert.deepEqual(Object.keys(slabs).toSorted(), ['conns', 'dry', 'pages', 'rate'])
  assert.equal(slabs['rate']!.slots['64']!['used'], 1)
})

test('resolvers', async () => {
  dns.set('a.test', { A: ['127.0.0.1'] })
  await (await fetch(server.url('/name?h=a.test'))).text()
  await (await fetch(server.url('/name?h=none.test'))).text()
  const { requests, responses } = await api<{ requests: Counts; responses: Counts }>('resolvers/names')
  assert.deepEqual(requests, { name: 2, srv: 0, addr: 0 })
  assert.deepEqual([responses['noerror'], responses['nxdomain'], responses['servfail']], [1, 1, 0])
})

/** Of the Datadog agent, Telegraf and nginx-prometheus-exporter, as they write them. */
const PATHS = [
  ...['nginx', 'http/requests', 'http/server_zones', 'http/upstreams', 'http/caches', 'processes', 'connections'].map(
    (path) => `1/${path}`,
  ),
  ...['ssl', 'slabs', 'stream/server_zones', 'stream/upstreams'].map((path) => `3/${path}`),
  ...['3/stream/zone_sync', '5/http/location_zones', '5/resolvers', '6/http/limit_reqs', '6/http/limit_conns'],
  ...['6/stream/limit_conns', '9/workers', '9/http', '9/stream', '9/', '', '9/license', '9/http/keyvals/'],
]

test('what tools ask for is there, with and without a slash at the end', async () => {
  for (const path of PATHS) {
    for (const slash of ['', '/']) {
      const response = await fetch(server.url(`/api/${path}${slash}`.replace(/\/+$/, slash)))
      assert.equal(response.status, 200, path)
      assert.equal(response.headers.get('content-type'), 'application/json')
      assert.ok(typeof (await response.json()) === 'object')
    }
  }
})
