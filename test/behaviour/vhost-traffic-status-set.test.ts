/** nginx-module-vts: numbers in variables, statuses one by one, what is not counted, averages, groups of filters, control. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { disposeAll } from '../harness/dispose.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

let server: Server
let peer: Peer

before(async () => {
  peer = await Peer.start(() => reply('yes'))
  server = await startViaduct(`
worker_processes 2;
http {
  vhost_traffic_status_zone shared:traffic:2m;
  vhost_traffic_status_measure_status_codes 200 204 404;
  vhost_traffic_status_filter_max_node 2 some;
  vhost_traffic_status_filter_by_set_key $arg_all everywhere;
  vhost_traffic_status_average_method WMA 1h;
  proxy_cache_path %%DIR%%/cache keys_zone=pages:1m;
  upstream u { server 127.0.0.1:${peer.port} weight=3 fail_timeout=7s; server 127.0.0.1:1 down; }
  server {
    listen 127.0.0.1:%%PORT_0%%; server_name shop.example;
    vhost_traffic_status_filter_by_set_key $arg_g $arg_n;
    vhost_traffic_status_filter_by_set_key $vts_request_counter requests;
    vhost_traffic_status_set_by_filter $all server/shop.example/requestCounter;
    location / { add_header X-Set "$all"; empty_gif; }
    location /empty { return 204; }
    location /missing { return 404; }
    location /hidden { vhost_traffic_status_ignore_status 4xx; return 403; }
    location /proxied { proxy_pass http://u; proxy_cache pages; proxy_cache_valid 1h; }
    location /set {
      vhost_traffic_status_set_by_filter $in upstream@group/u@127.0.0.1:${peer.port}/requestCounter;
      vhost_traffic_status_set_by_filter $weight upstream@group/u@127.0.0.1:${peer.port}/weight;
      vhost_traffic_status_set_by_filter $timeout upstream@group/u@127.0.0.1:${peer.port}/failTimeout;
      vhost_traffic_status_set_by_filter $hits cache/pages/cacheHit;
      vhost_traffic_status_set_by_filter $one filter/$arg_of@a[:alpha:]b/requestCounter;
      vhost_traffic_status_set_by_filter $none server/nobody/requestCounter;
      add_header X-Set "$in $weight $timeout $hits $one [$none]";
      empty_gif;
    }
    location /vts { return 200 "$vts_request_counter $vts_2xx_counter $vts_4xx_counter $vts_cache_hit_counter $vts_request_time_counter"; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%%; server_name bounds.example;
    vhost_traffic_status_histogram_buckets 10;
    vhost_traffic_status_filter_check_duplicate off;
    vhost_traffic_status_filter_by_set_key twice double;
    vhost_traffic_status_filter_by_set_key twice double;
    location / { empty_gif; }
    location /late { vhost_traffic_status_limit_traffic request:0; vhost_traffic_status_limit_traffic request:1000; empty_gif; }
    location /free { vhost_traffic_status_limit_check_duplicate off; vhost_traffic_status_limit_traffic request:1000; empty_gif; }
  }
  server {
    listen 127.0.0.1:%%PORT_2%%;
    vhost_traffic_status off;
    location /status { vhost_traffic_status_display; }
  }
}`)
})
after(() => disposeAll(server, peer))

interface Row {
  readonly requestCounter: number
  readonly statusCodes: Readonly<Record<string, number>>
  readonly requestMsecs: { readonly times: number[]; readonly msecs: number[] }
  readonly requestMsec: number
  readonly requestMsecCounter: number
  readonly requestBuckets: { readonly msecs: number[]; readonly counters: number[] }
}
interface Page {
  readonly serverZones: Readonly<Record<string, Row>>
  readonly filterZones: Readonly<Record<string, Readonly<Record<string, Row>>>>
  readonly upstreamZones: Readonly<Record<string, readonly (Row & { server: string; weight: number; down: boolean })[]>>
}

async function get(target: string, n = 0): Promise<string> {
  const answer = await server.raw(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, n)
  return answer.split('\r\n\r\n')[1]!
}

/** The variables that a location has set. */
async function set(target: string): Promise<string> {
  return (await fetch(server.url(target))).headers.get('x-set') ?? ''
}

async function page<T = Page>(rest = ''): Promise<T> {
  return (await (await fetch(server.url(`/status${rest}`, 2))).json()) as T
}

async function control<T>(args: string): Promise<T> {
  return page<T>(`/control?${args}`)
}

test('groups show their servers before anybody has asked them', async () => {
  assert.deepEqual(
    (await page()).upstreamZones['u']!.map(({ server, weight, requestCounter, down }) => [
      server,
      weight,
      requestCounter,
      down,
    ]),
    [
      [`127.0.0.1:${peer.port}`, 3, 0, false],
      ['127.0.0.1:1', 1, 0, true],
    ],
  )
})

test('statuses one by one, and those that are not counted', async () => {
  for (const target of ['/', '/empty', '/empty', '/missing', '/hidden', '/hidden', '/set', '/vts']) await get(target)
  const shop = (await page()).serverZones['shop.example']!
  assert.equal(shop.requestCounter, 6)
  assert.deepEqual(shop.statusCodes, { other: 0, '200': 3, '204': 2, '404': 1 })
  const text = await (await fetch(server.url('/status/format/prometheus', 2))).text()
  assert.match(text, /^nginx_vts_status_code_requests_total\{host="shop\.example",code="204"\} 2$/m)
})

test('numbers in variables', async () => {
  assert.equal(await set('/'), '6')
  await get('/proxied')
  await get('/proxied')
  await get('/?g=a@b&n=tagged')
  assert.equal(await set('/set?of=tagged'), '1 3 7 1 1 []')
  const [requests, ok, failed, hits, ms] = (await get('/vts')).split(' ')
  assert.deepEqual([requests, ok, failed, hits], ['11', '10', '1', '1'])
  assert.match(ms!, /^\d+$/)
})

test('filters: of the http block everywhere, without a group among servers, limited by their groups', async () => {
  for (const n of [1, 2, 3]) await get(`/?all=x&g=key${n}&n=something`)
  for (const n of [1, 2, 3]) await get(`/?g=key${n}&n=other`)
  await get('/?g=alone.example')
  await get('/?all=x', 1)
  const { filterZones, serverZones } = await page()
  assert.equal(filterZones['everywhere']!['x']!.requestCounter, 4)
  assert.deepEqual(Object.keys(filterZones['something']!), ['key2', 'key3'])
  assert.deepEqual(Object.keys(filterZones['other']!), ['key1', 'key2', 'key3'])
  assert.equal(serverZones['alone.example']!.requestCounter, 1)
  assert.equal(filterZones['double']!['twice']!.requestCounter, 2, 'counted as often as it stands there')
  assert.ok('7' in filterZones['requests']!, 'a number that is counted may be counted by')
})

test('bounds of histograms belong to servers; averages are of the last times', async () => {
  const { 'bounds.example': bounds, 'shop.example': shop } = (await page()).serverZones
  assert.deepEqual(bounds!.requestBuckets, { msecs: [10_000], counters: [1] })
  assert.deepEqual(shop!.requestBuckets, { msecs: [], counters: [] })
  const { times, msecs } = shop!.requestMsecs
  assert.equal(times.length, shop!.requestCounter)
  const weights = (msecs.length * (msecs.length + 1)) / 2
  assert.equal(shop!.requestMsec, Math.floor(msecs.reduce((sum, ms, n) => sum + ms * (n + 1), 0) / weights))
  assert.ok(times.every((time, n) => n === 0 || time >= times[n - 1]!))
})

test('of limits on the same number the first holds', async () => {
  assert.match(await get('/late', 1), /503/)
  assert.match(await get('/free', 1), /^GIF/)
})

test('control of groups and of single rows', async () => {
  const names = async (args: string) => Object.keys(await control<object>(`cmd=status&${args}`))
  assert.ok((await names('group=server&zone=::main')).includes('hostName'))
  assert.deepEqual(await names('group=server&zone=*'), ['serverZones'])
  assert.deepEqual(await names('group=filter&zone=something@key2'), ['key2'])
  assert.deepEqual(await names('group=upstream@group&zone=*'), ['upstreamZones'])
  assert.deepEqual(await names('group=upstream@alone&zone=*'), ['::nogroups'])
  assert.deepEqual(await names('group=cache&zone=pages'), ['pages'])
  const one = await control<{ server: string }>(`cmd=status&group=upstream@group&zone=u@127.0.0.1:${peer.port}`)
  assert.equal(one.server, `127.0.0.1:${peer.port}`)
  const count = async (args: string) => (await control<{ processingCounts: number }>(args)).processingCounts
  assert.equal(await count('cmd=delete&group=filter&zone=other@key1'), 1)
  assert.deepEqual(Object.keys((await page()).filterZones['other']!), ['key2', 'key3'])
  assert.equal(await count('cmd=delete&group=filter&zone=other@key'), 0, 'a name is a whole name')
  assert.equal(await count('cmd=delete&group=*&zone=*&expire=1h'), 0, 'everything was in use')
  assert.equal(await count('cmd=delete&group=*&zone=*&expire=soon'), 0)
  assert.equal(await count('cmd=reset&group=cache&zone=pages'), 1)
  assert.equal((await set('/set?of=x')).split(' ')[3], '0')
  assert.ok((await count('cmd=delete&group=*&zone=*')) > 5)
})

test('a file that has not what was counted is not read', async () => {
  const row = (numbers: readonly unknown[]): object => ({ key: 'NO\x1fshop.example', numbers })
  const file = (rows: unknown, zone = 'traffic'): string => JSON.stringify({ version: 1, zone, rows })
  const broken = [null, row(['a']), { ...row([1]), codes: { other: 'x' } }]
  const cases = ['{', ...broken.map((one) => file([row([1]), one])), file([row([7])], 'other')]
  for (const text of cases) {
    await using one = await startViaduct(
      `http { vhost_traffic_status_zone shared:traffic:1m; vhost_traffic_status_dump %%DIR%%/kept/traffic.json;
        server { listen 127.0.0.1:%%PORT_0%%; server_name shop.example; location / { vhost_traffic_status_display; } } }`,
      {
        prepare: (dir) => {
          fs.mkdirSync(`${dir}/kept`)
          fs.chmodSync(`${dir}/kept`, 0o777)
          fs.writeFileSync(`${dir}/kept/traffic.json`, text)
        },
      },
    )
    assert.match(one.errorLog(), /\[warn\] .*"\S+traffic\.json" has not what zone "traffic" counted/, text)
    const { serverZones } = (await (await fetch(one.url('/'))).json()) as Page
    assert.deepEqual(Object.keys(serverZones), ['*'], text)
  }
})

test('memory of another size begins with what the one before it has counted', async () => {
  const conf = (size: string): string => `
    worker_processes 2;
    http { vhost_traffic_status_zone shared:traffic:${size}; vhost_traffic_status_dump %%DIR%%/kept/traffic.json 1h;
      server { listen 127.0.0.1:%%PORT_0%%; server_name shop.example; location / { return 200 ok; }
        location /status { vhost_traffic_status_bypass_stats on; vhost_traffic_status_display; } } }`
  await using one = await startViaduct(conf('1m'), {
    prepare: (dir) => {
      fs.mkdirSync(`${dir}/kept`)
      fs.chmodSync(`${dir}/kept`, 0o777)
    },
  })
  const count = async (): Promise<number> => {
    const { serverZones } = (await (await fetch(one.url('/status'))).json()) as Page
    return serverZones['shop.example']?.requestCounter ?? 0
  }
  let expected = 0
  for (const size of ['2m', '64k', '1m']) {
    for (let i = 0; i < 3; i++) await (await fetch(one.url('/'))).arrayBuffer()
    expected += 3
    await one.until('the count', async () => (await count()) === expected)
    await one.reload(conf(size))
    assert.equal(await count(), expected, size)
  }
})

test('a folder that workers may not write to is an alert, and nothing else', async () => {
  await using one = await startViaduct(
    `http { vhost_traffic_status_zone; vhost_traffic_status_dump %%DIR%%/none/traffic.json 50ms;
      server { listen 127.0.0.1:%%PORT_0%%; location / { return 200 ok; } } }`,
    { alerts: true },
  )
  await one.logged(/\[alert\] .*open\(\) "\S+none\/traffic\.json" failed \(2: No such file or directory\)/)
  assert.equal(await (await fetch(one.url('/'))).text(), 'ok')
})
