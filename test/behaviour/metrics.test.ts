/** `metrics`: numbers that Prometheus reads, OpenMetrics too, and what Debian's exporter makes of our pages. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { disposeAll } from '../harness/dispose.ts'
import { Peer } from '../harness/peer.ts'
import { freePorts } from '../harness/ports.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
const pair = certificates.make('one.example', { names: ['one.example'] })
let server: Server
let peer: Peer

before(async () => {
  peer = await Peer.start()
  server = await startViaduct(`
worker_processes 2;
http {
  upstream u { zone u 64k; server 127.0.0.1:${peer.port}; server 127.0.0.1:1 down; }
  proxy_cache_path %%DIR%%/cache keys_zone=pages:1m max_size=10m;
  limit_req_zone $arg_k zone=rate:1m rate=1r/m;
  resolver 127.0.0.1 status_zone=names;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    status_zone site;
    location / { proxy_pass http://u; proxy_cache pages; proxy_cache_valid 1h; }
    location /limited { status_zone "li\\"mi\\\\ted"; limit_req zone=rate; empty_gif; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%%;
    location = /metrics { metrics; }
    location = /plus { metrics compat=plus; }
    location = /vts { metrics compat=vts,plus; }
    location = /stub { stub_status; }
    location /api { api; }
  }
  server {
    listen 127.0.0.1:%%PORT_2%% ssl;
    ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};
  }
}`)
  for (let i = 0; i < 5; i++) await (await fetch(server.url(`/${i % 2}`))).text()
  for (let i = 0; i < 3; i++) await (await fetch(server.url('/limited?k=a'))).arrayBuffer()
})
after(() => disposeAll(server, peer, certificates))

async function page(target: string, accept = ''): Promise<{ readonly type: string; readonly text: string }> {
  const response = await fetch(server.url(target, 1), { headers: accept === '' ? {} : { accept } })
  assert.equal(response.status, 200)
  return { type: response.headers.get('content-type') ?? '', text: await response.text() }
}

/** The value of a sample. */
function value(text: string, sample: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${sample} `))
  assert.ok(line !== undefined, `${sample} is not in\n${text}`)
  return Number(line.slice(sample.length + 1))
}

test('what there is, under the names that dashboards ask for and our own', async () => {
  const { type, text } = await page('/metrics')
  assert.equal(type, 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(value(text, 'nginx_up'), 1)
  assert.ok(value(text, 'nginx_http_requests_total') >= 8)
  for (const name of ['accepted', 'handled', 'active', 'reading', 'writing', 'waiting']) {
    assert.ok(value(text, `nginx_connections_${name}`) >= 0)
  }
  assert.equal(value(text, 'viaduct_server_responses_total{server_zone="site",code="200"}'), 6)
  assert.equal(value(text, 'viaduct_server_responses_total{server_zone="site",code="503"}'), 2)
  assert.equal(value(text, 'viaduct_location_responses_total{location_zone="li\\"mi\\\\ted",code="503"}'), 2)
  assert.equal(value(text, 'viaduct_server_request_duration_seconds_count{server_zone="site"}'), 8)
  assert.equal(value(text, 'viaduct_server_request_duration_seconds_bucket{server_zone="site",le="+Inf"}'), 8)
  const labels = `upstream="u",server="127.0.0.1:${peer.port}",id="0"`
  assert.equal(value(text, `viaduct_upstream_server_requests_total{${labels}}`), 2)
  assert.equal(value(text, `viaduct_upstream_server_state{${labels}}`), 1)
  assert.equal(value(text, 'viaduct_upstream_server_state{upstream="u",server="127.0.0.1:1",id="1"}'), 3)
  assert.equal(value(text, 'viaduct_cache_responses_total{cache="pages",status="hit"}'), 3)
  assert.equal(value(text, 'viaduct_limit_requests_total{zone="rate",result="rejected"}'), 2)
  assert.equal(value(text, 'viaduct_config_last_reload_successful'), 1)
  const expiry = value(
    text,
    `viaduct_certificate_expiry_timestamp_seconds{file="${pair.certFile}",subject="CN=one.example"}`,
  )
  assert.ok(expiry > Date.now() / 1000)
  assert.match(text, /viaduct_worker_event_loop_delay_seconds\{worker="0",part="p99"\} \d/)
})

test('OpenMetrics for those who ask for it', async () => {
  const { type, text } = await page('/plus', 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
  assert.equal(type, 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  assert.ok(text.endsWith('\n# EOF\n'))
  assert.match(text, /# TYPE nginx_http_requests counter\nnginx_http_requests_total \d/)
  assert.match(text, /# TYPE nginx_connections_accepted unknown\n/)
  assert.match(text, /_bucket\{server_zone="site",le="1\.0"\}/)
  const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
  assert.equal(new Set(families).size, families.length, 'each family stands once')
})

test('names of NGINX Plus on request', async () => {
  const { text } = await page('/plus')
  assert.equal(value(text, 'nginxplus_up'), 1)
  assert.equal(value(text, 'nginxplus_server_zone_responses{server_zone="site",code="2xx"}'), 6)
  assert.equal(value(text, 'nginxplus_server_zone_responses_codes{server_zone="site",code="503"}'), 2)
  assert.equal(value(text, `nginxplus_upstream_server_state{upstream="u",server="127.0.0.1:${peer.port}"}`), 1)
  assert.equal(value(text, 'nginxplus_cache_hit_responses{zone="pages"}'), 3)
  assert.equal(value(text, 'nginxplus_limit_request_rejected{zone="rate"}'), 2)
  assert.equal(value(text, 'nginxplus_resolver_noerror{resolver="names"}'), 0)
  assert.ok(!(await page('/metrics')).text.includes('nginxplus_'))
})

test('names of nginx-module-vts on request', async () => {
  const { text } = await page('/vts')
  assert.equal(value(text, 'nginx_vts_server_requests_total{host="site",code="2xx"}'), 6)
  assert.equal(value(text, 'nginx_vts_server_requests_total{host="*",code="5xx"}'), 2)
  assert.ok(value(text, 'nginx_vts_server_bytes_total{host="site",direction="out"}') > 500)
  assert.equal(value(text, 'nginx_vts_server_request_duration_seconds_bucket{host="site",le="+Inf"}'), 8)
  const limited = 'filter="location_zones",filter_name="li\\"mi\\\\ted",code="5xx"'
  assert.equal(value(text, `nginx_vts_filter_requests_total{${limited}}`), 2)
  const labels = `upstream="u",backend="127.0.0.1:${peer.port}"`
  assert.equal(value(text, `nginx_vts_upstream_requests_total{${labels},code="2xx"}`), 2)
  assert.ok(value(text, `nginx_vts_upstream_response_seconds_total{${labels}}`) >= 0)
  assert.equal(value(text, 'nginx_vts_cache_requests_total{cache_zone="pages",status="hit"}'), 3)
  assert.ok(value(text, 'nginx_vts_main_connections{status="requests"}') >= 8)
  assert.equal(value(text, 'nginxplus_up'), 1, 'both at once')
  assert.ok(!(await page('/plus')).text.includes('nginx_vts_'))
})

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

test('promtool has nothing against it', { skip: !has('promtool') }, async () => {
  const { text } = await page('/metrics')
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  // Two names are older than the rule that counters end with _total.
  const complaints = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line !== '' && !/^nginx_connections_(?:accepted|handled) /.test(line))
  assert.deepEqual(complaints, [])
  assert.notEqual(status, 1, 'it is understood')
  for (const other of ['/plus', '/vts']) {
    const check = spawnSync('promtool', ['check', 'metrics'], { input: (await page(other)).text, encoding: 'utf8' })
    assert.notEqual(check.status, 1, check.stderr)
  }
})

test('the exporter of nginx reads our pages', { skip: !has('prometheus-nginx-exporter') }, async () => {
  for (const [uri, plus, name] of [
    [server.url('/stub', 1), '', 'nginx_up'],
    [server.url('/api', 1), '-nginx.plus', 'nginxplus_upstream_server_requests'],
  ] as const) {
    const [port] = await freePorts(1)
    const words = [`-web.listen-address=127.0.0.1:${port}`, `-nginx.scrape-uri=${uri}`, ...(plus === '' ? [] : [plus])]
    const exporter = spawn('prometheus-nginx-exporter', words, { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    exporter.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    let text = ''
    await server.until(`the exporter\n${said}`, async () => {
      text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
        (response) => response.text(),
        () => '',
      )
      return text.includes(name)
    })
    exporter.kill()
    await once(exporter, 'exit')
    if (plus !== '') assert.match(text, /nginxplus_server_zone_requests\{.*server_zone="site".*\} 8/)
    else assert.match(text, /nginx_up 1/)
  }
})

test('mistakes', async () => {
  assert.equal((await fetch(server.url('/metrics', 1), { method: 'POST' })).status, 405)
})
