/** otel_*: what a collector is told of requests and of attempts with back ends, and what back ends are told of traces. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { after, before, beforeEach, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { disposeAll } from '../harness/dispose.ts'
import { DnsServer } from '../harness/dns.ts'
import { Collector, type OtlpSpan } from '../harness/otlp.ts'
import { freePorts } from '../harness/ports.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  otel_exporter { endpoint 127.0.0.1:COLLECTOR; interval 10ms; batch_size 3; batch_count 3; header X-API-Token api.value; }
  otel_trace on;
  otel_service_name tested;
  otel_resource_attr my.name "my name";
  server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;
    location /ok { return 200 OK; }
    location /err { return 500 ERR; }
    location /custom {
      otel_span_name custom_location;
      otel_span_attr http.request.completion $request_completion;
      otel_span_attr http.response.header.content.type $sent_http_content_type;
      otel_span_attr http.request $request;
      return 200 OK;
    }
    location /vars {
      otel_trace_context extract;
      add_header X-Trace $otel_trace_id;
      add_header X-Span $otel_span_id;
      add_header X-Parent $otel_parent_id;
      add_header X-Sampled $otel_parent_sampled;
      return 204;
    }
    location /ignore { proxy_pass http://127.0.0.1:%%PORT_0%%/notrace; }
    location /extract { otel_trace_context extract; proxy_pass http://127.0.0.1:%%PORT_0%%/notrace; }
    location /inject { otel_trace_context inject; proxy_pass http://127.0.0.1:%%PORT_0%%/notrace; }
    location /propagate { otel_trace_context propagate; proxy_pass http://127.0.0.1:%%PORT_0%%/notrace; }
    location /notrace {
      otel_trace off;
      add_header X-Traceparent $http_traceparent;
      add_header X-Tracestate $http_tracestate;
      return 204;
    }
    location /sampled { otel_trace $otel_parent_sampled; otel_trace_context propagate; return 204; }
    location /by-arg { otel_trace $arg_t; return 204; }
    location /attempts {
      otel_upstream_spans on;
      proxy_pass http://two/notrace;
    }
    location /rewrite { rewrite ^ /ok last; }
    location /page { error_page 404 /notrace; root %%DIR%%/nothing; }
    location /broken { otel_span_name $arg_n; return 204; }
  }
  upstream two { server 127.0.0.1:%%PORT_1%%; server 127.0.0.1:%%PORT_0%%; }
}`
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b9c7c989f97918e1'
const STATE = 'congo=ucfJifl5GOE,rojo=00f067aa0ba902b7'
const GIVEN = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: STATE }

let server: Server
let collector: Collector
before(async () => {
  const [port] = await freePorts(1)
  collector = new Collector()
  await collector.listen(port!)
  server = await startViaduct(CONF.replace('COLLECTOR', String(port)))
})
after(() => disposeAll(server, collector))
beforeEach(() => {
  collector.batches.length = 0
})

function ask(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(server.url(path), { headers })
}

/** The spans of requests for these paths; others may still come from the test before. */
async function spans(count: number, paths = /./): Promise<readonly OtlpSpan[]> {
  const found = () => collector.spans.filter((span) => paths.test(span.attributes['http.target'] as string))
  await server.until(`${count} spans`, () => found().length >= count)
  assert.equal(found().length, count)
  return found()
}

for (const [path, status] of [
  ['/ok', 200],
  ['/err', 500],
] as const) {
  test(`the attributes of ${path}`, async () => {
    const response = await ask(path)
    const [span] = await spans(1)
    const { attributes } = span!
    assert.equal(span!.name, path)
    assert.equal(span!.kind, 2)
    assert.equal(span!.parentId, '')
    assert.equal(span!.statusCode, status >= 500 ? 2 : 0)
    assert.ok(span!.endNs >= span!.startNs && span!.startNs > 1_700_000_000_000_000_000n)
    const { 'net.sock.peer.port': port, ...rest } = attributes
    assert.ok((port as number) > 1023)
    assert.deepEqual(rest, {
      'http.method': 'GET',
      'http.target': path,
      'http.route': path,
      'http.scheme': 'http',
      'http.flavor': '1.1',
      'http.user_agent': 'node',
      'http.request_content_length': 0,
      'http.response_content_length': (await response.text()).length,
      'http.status_code': status,
      'net.host.name': 'localhost',
      'net.host.port': server.port(),
      'net.sock.peer.addr': '127.0.0.1',
    })
    const { resource, scope } = collector.batches[0]!
    assert.deepEqual(resource, { 'my.name': 'my name', 'service.name': 'tested' })
    assert.equal(scope.name, 'nginx')
    assert.equal(collector.headers['x-api-token'], 'api.value')
  })
}

test('names and attributes of our own', async () => {
  await ask('/custom')
  const [span] = await spans(1)
  assert.equal(span!.name, 'custom_location')
  assert.equal(span!.attributes['http.request.completion'], 'OK')
  assert.deepEqual(span!.attributes['http.response.header.content.type'], ['text/plain'])
  assert.equal(span!.attributes['http.request'], 'GET /custom HTTP/1.1')
})

test('variables, with and without a parent', async () => {
  const with_ = await ask('/vars', GIVEN)
  assert.equal(with_.headers.get('x-trace'), TRACE)
  assert.equal(with_.headers.get('x-parent'), PARENT)
  assert.equal(with_.headers.get('x-sampled'), '1')
  const without = await ask('/vars')
  assert.equal(without.headers.get('x-parent'), null)
  assert.equal(without.headers.get('x-sampled'), '0')
  const [first, second] = await spans(2)
  assert.deepEqual([first!.traceId, first!.parentId, first!.state], [TRACE, PARENT, STATE])
  assert.equal(first!.spanId, with_.headers.get('x-span'))
  assert.equal(first!.flags & 0x301, 0x301)
  assert.equal(second!.traceId, without.headers.get('x-trace'))
})

for (const path of ['/ignore', '/extract', '/inject', '/propagate']) {
  for (const given of [{}, GIVEN]) {
    const parented = 'traceparent' in given
    test(`${path} ${parented ? 'with' : 'without'} a parent`, async () => {
      const response = await ask(path, given as Record<string, string>)
      const [span] = await spans(1)
      const extracts = parented && /extract|propagate/.test(path)
      if (extracts) assert.deepEqual([span!.traceId, span!.parentId, span!.state], [TRACE, PARENT, STATE])
      else assert.equal(span!.parentId, '')
      const injects = /inject|propagate/.test(path)
      const told = response.headers.get('x-traceparent')
      if (injects) assert.equal(told, `00-${span!.traceId}-${span!.spanId}-01`)
      else assert.equal(told, parented ? GIVEN.traceparent : null)
      const state = injects ? span!.state || null : parented ? STATE : null
      assert.equal(response.headers.get('x-tracestate'), state)
    })
  }
}

test('parents that are none', async () => {
  const zero = '0'.repeat(32)
  for (const given of [
    'x',
    `00-${zero}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01-more`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-0g`,
  ]) {
    const { headers } = await ask('/vars', { traceparent: given })
    assert.deepEqual([headers.get('x-parent'), headers.get('x-trace') === TRACE], [null, false], given)
  }
  const later = await ask('/vars', { traceparent: `01-${TRACE}-${PARENT}-00-more` })
  assert.deepEqual([later.headers.get('x-parent'), later.headers.get('x-sampled')], [PARENT, '0'])
})

test('who is traced is said by a variable', async () => {
  for (const value of ['on', '1', 'off', '0', 'On', '']) await ask(`/by-arg?t=${value}`)
  await ask('/sampled')
  await ask('/sampled', { traceparent: `00-${TRACE}-${PARENT}-00` })
  await ask('/sampled', GIVEN)
  await ask('/notrace')
  assert.deepEqual(
    (await spans(3, /by-arg|sampled/)).map((span) => span.attributes['http.target']),
    ['/by-arg?t=on', '/by-arg?t=1', '/sampled'],
  )
})

test('each attempt with a back end', async () => {
  for (let i = 0; i < 2; i++) await ask('/attempts')
  await server.until('the spans', () => collector.spans.filter((span) => span.name === '/attempts').length === 2)
  await server.until('attempts', () => collector.spans.filter((span) => span.kind === 3).length >= 3)
  const failed = collector.spans.find((span) => span.kind === 3 && span.statusCode === 2)!
  const request = collector.spans.find((span) => span.spanId === failed.parentId)!
  assert.equal(request.kind, 2)
  assert.equal(failed.traceId, request.traceId)
  assert.equal(failed.attributes['net.sock.peer.addr'], `127.0.0.1:${server.port(1)}`)
  assert.equal(failed.attributes['http.status_code'], 502)
  const good = collector.spans.find((span) => span.kind === 3 && span.parentId === request.spanId && span !== failed)!
  assert.equal(good.attributes['net.sock.peer.addr'], `127.0.0.1:${server.port()}`)
  assert.ok(good.startNs >= failed.startNs && good.endNs <= request.endNs)
})

test('rules and error pages keep the trace', async () => {
  await ask('/rewrite')
  await ask('/page')
  const all = await spans(2)
  assert.deepEqual(
    all.map((span) => span.name),
    ['/ok', '/notrace'],
  )
})

test('what is no text is told as text', async () => {
  await ask('/broken?n=%ff%fe')
  await server.raw('GET /broken?n=\xff\xc3\xa4 HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\r\nConnection: close\r\n\r\n')
  const all = await spans(2, /broken/)
  assert.equal(all[1]!.name, '\ufffd\u00e4')
})

test('full batches go at once', async () => {
  await Promise.all(Array.from({ length: 7 }, () => ask('/ok')))
  await spans(7)
  assert.deepEqual(collector.batches.map(({ spans: list }) => list.length).slice(0, 2), [3, 3])
})

test('a collector that is unwell is told of', async () => {
  collector.status = 14
  await ask('/ok')
  await server.logged(/\[error\].* OTel export failure: status 14: the collector is unwell/)
  collector.status = 0
  await ask('/ok')
  await spans(2)
})

test('a reload loses nothing', async () => {
  for (let i = 0; i < 2; i++) {
    await ask('/ok')
    await server.reload()
  }
  await spans(2)
})

test('a stop sends what is there; TLS', async (t) => {
  const certificates = new Certificates()
  t.after(() => certificates.remove())
  const authority = certificates.make('authority', { authority: true })
  const pair = certificates.make('localhost', { issuer: authority, names: ['localhost'] })
  const [port] = await freePorts(1)
  await using secure = new Collector()
  await secure.listen(port!, pair)
  const conf = (trusted: string): string => `
    http {
      otel_exporter { endpoint https://localhost:${port}; interval 1h; trusted_certificate ${trusted}; }
      otel_trace on;
      server { listen 127.0.0.1:%%PORT_0%%; location / { return 204; } }
    }`
  {
    await using asked = await startViaduct(conf(authority.certFile))
    await fetch(asked.url('/a'))
    assert.equal(secure.spans.length, 0)
    await asked.stop()
    assert.equal(secure.spans.length, 1, asked.errorLog())
    assert.deepEqual(secure.batches[0]!.resource, { 'service.name': 'unknown_service:nginx' })
  }
  const other = certificates.make('other', { authority: true })
  await using distrusting = await startViaduct(conf(other.certFile).replace('1h', '1ms'))
  await fetch(distrusting.url('/a'))
  await distrusting.logged(/OTel export failure: .*certificate/)
  assert.equal(secure.spans.length, 1)
})

test('HTTP/2 by TLS, subrequests, bad requests, and clients that leave', async (t) => {
  const certificates = new Certificates()
  t.after(() => certificates.remove())
  const pair = certificates.make('localhost', { names: ['localhost'] })
  const [port] = await freePorts(1)
  await using told = new Collector()
  await told.listen(port!)
  await using asked = await startViaduct(
    `http {
      otel_exporter { endpoint http://localhost:${port}; interval 1ms; }
      otel_trace on;
      log_format line "$uri $status $otel_trace_id";
      access_log %%DIR%%/access.log line;
      log_subrequest on;
      server {
        listen 127.0.0.1:%%PORT_0%% ssl;
        http2 on;
        ssl_certificate ${pair.certFile};
        ssl_certificate_key ${pair.keyFile};
        location / { auth_request /judge; otel_trace_context inject; root %%DIR%%; }
        location = /judge { internal; return 204; }
        location /slow { proxy_pass http://127.0.0.1:%%PORT_1%%; }
      }
      server { listen 127.0.0.1:%%PORT_1%%; otel_trace off; access_log off; limit_rate 1k; location / { root %%DIR%%; } }
    }`,
    { files: { page: 'page', slow: 'x'.repeat(100_000) } },
  )
  const session = http2.connect(`https://localhost:${asked.port()}`, { ca: pair.cert })
  const stream = session.request({ ':path': '/page', 'content-length': '3', ':method': 'POST' }).end('abc')
  await new Promise((resolve) => stream.resume().on('close', resolve))
  await asked.until('the span', () => told.spans.length === 1)
  const [span] = told.spans
  assert.equal(span!.attributes['http.flavor'], '2.0')
  assert.equal(span!.attributes['http.scheme'], 'https')
  assert.equal(span!.attributes['net.host.port'], asked.port())
  // The subrequest is part of the same trace, and no span of its own.
  assert.deepEqual(asked.accessLog().match(/\/(?:judge|page) \d+ (\w+)/g), [
    `/judge 204 ${span!.traceId}`,
    `/page 405 ${span!.traceId}`,
  ])
  const slow = session.request({ ':path': '/slow' })
  await new Promise((resolve) => slow.once('response', resolve))
  slow.on('error', () => {}).close(http2.constants.NGHTTP2_CANCEL)
  await asked.until('the span of who left', () => told.spans.some(({ name }) => name === '/slow'))
  session.close()
})

test('a trace that begins here has the id of its request, which stays what was told', async () => {
  await using asked = await startViaduct(
    `http {
      server {
        listen 127.0.0.1:%%PORT_0%%;
        add_header X-Ids "$otel_trace_id $request_id";
        location /begun { return 204; }
        location /taken { otel_trace_context extract; return 204; }
      }
      server {
        listen 127.0.0.1:%%PORT_1%%;
        set $told $otel_trace_id;
        add_header X-Ids "$otel_trace_id $told";
        location / { otel_trace_context extract; return 204; }
      }
    }`,
  )
  const ids = async (path: string, n: number): Promise<string[]> => {
    const response = await fetch(asked.url(path, n), { headers: GIVEN })
    return response.headers.get('x-ids')!.split(' ')
  }
  const [begun, own] = await ids('/begun', 0)
  assert.match(begun!, /^[\da-f]{32}$/)
  assert.equal(begun, own)
  const [taken, other] = await ids('/taken', 0)
  assert.equal(taken, TRACE)
  assert.notEqual(other, TRACE)
  const [kept, told] = await ids('/', 1)
  assert.equal(kept, told)
  assert.notEqual(kept, TRACE)
})

test('OTLP over HTTP, and stable names', async () => {
  const [port] = await freePorts(1)
  await using posted = new Collector()
  await posted.listenHttp(port!)
  await using asked = await startViaduct(`
    http {
      otel_exporter { endpoint http://127.0.0.1:${port}/v1/traces; interval 1ms; header Authorization "Basic value"; }
      otel_semconv stable;
      otel_trace on;
      otel_upstream_spans on;
      server {
        listen 127.0.0.1:%%PORT_0%%;
        location /x { proxy_pass http://127.0.0.1:%%PORT_1%%; }
      }
      server { listen 127.0.0.1:%%PORT_1%%; otel_trace off; return 503; }
    }`)
  await fetch(asked.url('/x/y?z=1'))
  await asked.until('spans', () => posted.spans.length === 2)
  const [span, attempt] = posted.spans
  assert.equal(posted.headers['path'], '/v1/traces')
  assert.equal(posted.headers['authorization'], 'Basic value')
  assert.equal(posted.headers['content-type'], 'application/x-protobuf')
  const { 'network.peer.port': _, ...attributes } = span!.attributes
  assert.equal(span!.name, 'GET /x')
  assert.deepEqual(attributes, {
    'http.request.method': 'GET',
    'url.scheme': 'http',
    'url.path': '/x/y',
    'url.query': 'z=1',
    'http.route': '/x',
    'network.protocol.version': '1.1',
    'user_agent.original': 'node',
    'http.request.body.size': 0,
    'http.response.body.size': attributes['http.response.body.size'],
    'http.response.status_code': 503,
    'error.type': '503',
    'server.address': '127.0.0.1',
    'server.port': asked.port(),
    'client.address': '127.0.0.1',
    'network.peer.address': '127.0.0.1',
  })
  assert.equal(attempt!.name, 'GET')
  assert.equal(attempt!.attributes['http.response.status_code'], 503)
})

test('a collector whose name is not known when the server starts', async () => {
  const [port] = await freePorts(1)
  await using late = new Collector()
  await late.listen(port!)
  await using dns = await DnsServer.start()
  dns.set('collector.test', { A: ['127.0.0.1'] })
  await using asked = await startViaduct(`
    http {
      resolver 127.0.0.1:${dns.port};
      otel_exporter { endpoint collector.test:${port}; interval 1ms; }
      otel_trace on;
      server { listen 127.0.0.1:%%PORT_0%%; location / { return 204; } }
    }`)
  await fetch(asked.url('/'))
  await asked.until('the span', () => late.spans.length === 1)
})

test('a collector that does not answer costs no memory: spans are dropped', async () => {
  const [port] = await freePorts(1)
  await using silent = new Collector()
  silent.silent = true
  await silent.listen(port!)
  await using asked = await startViaduct(`
    http {
      otel_exporter { endpoint 127.0.0.1:${port}; interval 1ms; batch_size 1; batch_count 2; }
      otel_trace on;
      server { listen 127.0.0.1:%%PORT_0%%; location / { return 204; } }
    }`)
  for (let i = 0; i < 5; i++) await fetch(asked.url('/'))
  await asked.logged(/\[notice\].* OTel dropped records: 1/)
})
