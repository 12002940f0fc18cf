/** nginx-module-vts: what is counted by server, filter and back end, its pages, control, and limits. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { disposeAll } from '../harness/dispose.ts'
import { Peer, reply } from '../harness/peer.ts'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

let server: Server
let peer: Peer

before(async () => {
  peer = await Peer.start(({ line }) => (/missing/.test(line) ? reply('no', [], '404 Not Found') : reply('yes')))
  server = await startViaduct(`
worker_processes 2;
http {
  vhost_traffic_status_zone shared:traffic:1m;
  vhost_traffic_status_histogram_buckets 0.005 0.1 5;
  vhost_traffic_status_filter_max_node 3;
  proxy_cache_path %%DIR%%/cache keys_zone=pages:1m;
  upstream u { server 127.0.0.1:${peer.port} weight=3; }
  server {
    listen 127.0.0.1:%%PORT_0%%; server_name shop.example;
    vhost_traffic_status_filter_by_set_key $arg_country country::$server_name;
    location / { proxy_pass http://u; }
    location /cached { proxy_pass http://u; proxy_cache pages; proxy_cache_valid 1h; }
    location /alone { proxy_pass http://127.0.0.1:${peer.port}; }
    location /quiet { vhost_traffic_status_bypass_stats on; return 204; }
    location /few { vhost_traffic_status_limit_traffic_by_set_key FG@country::$server_name@$arg_country request:2 429; empty_gif; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%%; server_name small.example;
    vhost_traffic_status_limit_traffic out:100;
    location / { empty_gif; }
  }
  server {
    listen 127.0.0.1:%%PORT_2%%;
    vhost_traffic_status off;
    location /status { vhost_traffic_status_display; }
    location /html { vhost_traffic_status_display; vhost_traffic_status_display_format html; }
  }
}`)
})
after(() => disposeAll(server, peer))

interface Row {
  readonly requestCounter: number
  readonly inBytes: number
  readonly outBytes: number
  readonly responses: Readonly<Record<string, number>>
  readonly requestBuckets: { readonly msecs: number[]; readonly counters: number[] }
}
interface Page {
  readonly connections: Readonly<Record<string, number>>
  readonly sharedZones: Readonly<Record<string, number | string>>
  readonly serverZones: Readonly<Record<string, Row>>
  readonly filterZones: Readonly<Record<string, Readonly<Record<string, Row>>>>
  readonly upstreamZones: Readonly<Record<string, readonly (Row & { server: string; weight: number })[]>>
  readonly cacheZones: Readonly<Record<string, Row>>
}

async function get(target: string, n = 0): Promise<string> {
  const answer = await server.raw(`GET ${target} HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n`, n)
  return answer.slice(9, 12)
}

async function page<T = Page>(target = '/status'): Promise<T> {
  return (await (await fetch(server.url(target, 2))).json()) as T
}

test('requests by server, filter and back end', async () => {
  for (const target of [
    '/',
    '/?country=de',
    '/?country=de',
    '/missing?country=fr',
    '/cached',
    '/cached',
    '/alone',
    '/quiet',
  ]) {
    await get(target)
  }
  const { serverZones, filterZones, upstreamZones, cacheZones, sharedZones, connections } = await page()
  const shop = serverZones['shop.example']!
  assert.equal(shop.requestCounter, 7)
  assert.deepEqual(
    [shop.responses['2xx'], shop.responses['4xx'], shop.responses['miss'], shop.responses['hit']],
    [6, 1, 1, 1],
  )
  assert.deepEqual(shop.requestBuckets.msecs, [5, 100, 5000])
  assert.equal(shop.requestBuckets.counters[2], 7)
  assert.ok(shop.inBytes > 7 * 50 && shop.outBytes > 7 * 50)
  assert.deepEqual(serverZones['*'], shop, 'all servers together')
  const countries = filterZones['country::shop.example']!
  assert.deepEqual(
    Object.entries(countries).map(([name, row]) => [name, row.requestCounter]),
    [
      ['de', 2],
      ['fr', 1],
    ],
  )
  const [one] = upstreamZones['u']!
  assert.deepEqual(
    [one!.server, one!.weight, one!.requestCounter, one!.responses['4xx']],
    [`127.0.0.1:${peer.port}`, 3, 5, 1],
  )
  assert.equal(upstreamZones['::nogroups']![0]!.requestCounter, 1)
  assert.equal(cacheZones['pages']!.responses['hit'], 1)
  assert.deepEqual([sharedZones['name'], sharedZones['maxSize'], sharedZones['usedNode']], ['traffic', 1048576, 5])
  assert.ok(connections['requests']! > 7)
})

test('what is counted outlives a reload', async () => {
  await server.reload()
  assert.equal((await page()).serverZones['shop.example']!.requestCounter, 7)
})

test('other forms of the page', async () => {
  const answers = await Promise.all(
    ['json', 'html', 'jsonp', 'prometheus', 'what'].map((format) => fetch(server.url(`/status/format/${format}`, 2))),
  )
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers.get('content-type')?.split(';')[0]]),
    [
      [200, 'application/json'],
      [200, 'text/html'],
      [200, 'application/javascript'],
      [200, 'text/plain'],
      [404, 'text/html'],
    ],
  )
  assert.match(await answers[2]!.text(), /^ngx_http_vhost_traffic_status_jsonp_callback\(\{.*\}\)$/)
  const text = await answers[3]!.text()
  assert.match(text, /^nginx_vts_server_requests_total\{host="shop\.example",code="2xx"\} 6$/m)
  assert.match(
    text,
    /^nginx_vts_filter_requests_total\{filter="country::shop\.example",filter_name="de",code="2xx"\} 2$/m,
  )
  assert.match(text, /^nginx_vts_upstream_requests_total\{upstream="u",backend="127\.0\.0\.1:\d+",code="4xx"\} 1$/m)
  assert.match(text, /^nginx_vts_server_request_duration_seconds_bucket\{host="shop\.example",le="\+Inf"\} 7$/m)
  assert.match(await (await fetch(server.url('/html', 2))).text(), /<title>/)
  const promtool = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  if (promtool.error === undefined) assert.notEqual(promtool.status, 1, promtool.stderr)
})

test('filters have a limit of their own, and limits refuse', async () => {
  assert.deepEqual(
    [await get('/few?country=us'), await get('/few?country=us'), await get('/few?country=us')],
    ['200', '200', '200'],
  )
  assert.equal(await get('/few?country=us'), '429', 'three is more than two')
  for (const country of ['a', 'b', 'c']) await get(`/?country=${country}`)
  assert.deepEqual(Object.keys((await page()).filterZones['country::shop.example']!), ['a', 'b', 'c'])
  assert.deepEqual([await get('/', 1), await get('/', 1)], ['200', '503'])
})

test('control shows, resets and deletes', async () => {
  const status = await page<Record<string, Row>>('/status/control?cmd=status&group=server&zone=small.example')
  assert.equal(status['small.example']!.requestCounter, 2)
  const reset = await page<{ processingReturn: boolean; processingCounts: number }>(
    '/status/control?cmd=reset&group=server&zone=small.example',
  )
  assert.deepEqual([reset.processingReturn, reset.processingCounts], [true, 1])
  assert.equal((await page()).serverZones['small.example']!.requestCounter, 0)
  assert.equal(await get('/', 1), '200')
  await page('/status/control?cmd=delete&group=filter&zone=*')
  assert.equal((await page()).filterZones, undefined)
  await page('/status/control?cmd=delete&group=*&zone=*')
  assert.deepEqual(Object.keys((await page()).serverZones), ['*'])
  await get('/')
  assert.equal((await page()).serverZones['shop.example']!.requestCounter, 1)
})

test('mistakes in the configuration', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['vhost_traffic_status_zone shared:a;', /invalid shared size "shared:a"/],
    ['vhost_traffic_status_zone; vhost_traffic_status_limit_traffic what:1;', /invalid limit "what:1"/],
    ['vhost_traffic_status_zone; vhost_traffic_status_limit_traffic in:1 200;', /invalid code "200"/],
    ['vhost_traffic_status_dump x never;', /invalid parameter "never"/],
    ['vhost_traffic_status_average_method mean;', /invalid parameter "mean"/],
    ['vhost_traffic_status_measure_status_codes 404 200;', /status codes must be ordered/],
    ['vhost_traffic_status_measure_status_codes 99;', /invalid status_code "99"/],
    ['vhost_traffic_status_measure_status_codes ok;', /invalid parameter "ok"/],
    ['vhost_traffic_status_ignore_status 6xx;', /invalid value "6xx"/],
    ['vhost_traffic_status_zone; vhost_traffic_status_set_by_filter $uri a/b/c;', /the duplicate "uri" variable/],
    ['server { listen 127.0.0.1:%%PORT_0%%; location / { vhost_traffic_status_display; } }', /is not declared/],
  ]
  for (const [lines, expected] of cases) {
    await using prefix = await Prefix.create(`http { ${lines} } events {}`)
    assert.match((await prefix.run(['-t'])).stderr, expected)
  }
})
