/** ngx_http_limit_req_module: rejections, delays, several zones, dry run, and all threads counting together. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

const CONF = `
worker_processes 2;
http {
  limit_req_zone $arg_key zone=slow:1m rate=1r/m;
  limit_req_zone $arg_other zone=other:1m rate=1r/m;
  limit_req_zone $arg_key zone=fast:1m rate=50r/s;
  limit_req_zone $arg_key zone=dry:1m rate=1r/m;
  limit_req_zone $arg_key zone=burst:1m rate=1r/m;
  log_format status "$uri:$limit_req_status";
  access_log %%DIR%%/access.log status;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    add_header X-Limit $limit_req_status;
    location /slow { limit_req zone=slow; alias %%DIR%%/ok; }
    location /status { limit_req zone=slow; limit_req_status 429; limit_req_log_level info; alias %%DIR%%/ok; }
    location /two { limit_req zone=other; limit_req zone=slow; alias %%DIR%%/ok; }
    location /delay { limit_req zone=fast burst=5; alias %%DIR%%/ok; }
    location /nodelay { limit_req zone=burst burst=2 nodelay; alias %%DIR%%/ok; }
    location /dry { limit_req zone=dry; limit_req_dry_run on; alias %%DIR%%/ok; }
    location /wait { limit_req zone=slow burst=9; alias %%DIR%%/ok; }
  }
}`

let server: Server
before(async () => {
  server = await startViaduct(CONF, { files: { ok: 'ok' } })
})
after(async () => {
  await server[Symbol.asyncDispose]()
})

async function get(target: string): Promise<string> {
  const response = await fetch(server.url(target))
  await response.text()
  return `${response.status} ${response.headers.get('x-limit') ?? ''}`.trim()
}

test('over the rate is rejected and logged, by key', async () => {
  assert.equal(await get('/slow?key=a'), '200 PASSED')
  assert.equal(await get('/slow?key=a'), '503')
  assert.equal(await get('/slow?key=b'), '200 PASSED')
  await server.logged(/\[error\] .*limiting requests, excess: (?:1\.000|0\.9\d\d) by zone "slow", client: 127/)
  assert.equal(await get('/slow'), '200', 'an empty key is not counted')
})

test('status and level can be chosen', async () => {
  await get('/status?key=c')
  assert.equal(await get('/status?key=c'), '429')
  await server.logged(/\[info\] .*limiting requests, .*"GET \/status/)
})

test('a request that another zone rejects is not charged', async () => {
  assert.equal(await get('/slow?key=d'), '200 PASSED')
  assert.equal(await get('/two?key=d&other=d'), '503')
  assert.equal(await get('/two?key=e&other=d'), '200 PASSED', 'the zone "other" had let go of it')
  assert.equal(await get('/two?key=f&other=d'), '503', 'and was charged when both passed')
})

test('within the burst a request waits, and nodelay spares the wait', async () => {
  assert.equal(await get('/delay?key=g'), '200 PASSED')
  assert.equal(await get('/delay?key=g'), '200 DELAYED')
  await server.logged(/\[warn\] .*delaying request, excess: \d\.\d\d\d, by zone "fast"/)
  const answers = [await get('/nodelay?key=h'), await get('/nodelay?key=h'), await get('/nodelay?key=h')]
  assert.deepEqual(answers, ['200 PASSED', '200 PASSED', '200 PASSED'])
  assert.equal(await get('/nodelay?key=h'), '503')
})

test('a dry run counts and lets pass', async () => {
  assert.equal(await get('/dry?key=i'), '200 PASSED')
  assert.equal(await get('/dry?key=i'), '200 REJECTED_DRY_RUN')
  await server.logged(/limiting requests, dry run, excess: \d\.\d\d\d by zone "dry"/)
})

test('a client that leaves while it waits is logged at once', async () => {
  assert.equal(await get('/slow?key=j'), '200 PASSED')
  const client = await server.connect()
  client.write('GET /wait?key=j HTTP/1.1\r\nHost: x\r\n\r\n')
  await server.logged(/delaying request, .*"GET \/wait/)
  client.close()
  await server.until('the line of the request', () => /\/wait:DELAYED/.test(server.accessLog()))
})

test('threads count together, exactly', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => server.raw(rawGet('/nodelay?key=k'))))
  assert.equal(all.filter((text) => text.startsWith('HTTP/1.1 200')).length, 3)
})

function rawGet(target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
}

test('a zone keeps its key over reloads, and its records', async () => {
  const conf = (key: string, rate: string): string =>
    `http { limit_req_zone ${key} zone=one:1m rate=${rate}; server { listen 127.0.0.1:%%PORT_0%%;
      location /x { limit_req zone=one burst=2 nodelay; alias %%DIR%%/ok; } } }`
  await using other = await startViaduct(conf('$uri', '1r/m'), { files: { ok: 'ok' } })
  const status = async (): Promise<number> => (await fetch(other.url('/x'))).status
  assert.deepEqual([await status(), await status(), await status(), await status()], [200, 200, 200, 503])
  const refused = await other.reloadRefused(conf('$host', '1r/m'))
  assert.ok(refused.includes('limit_req "one" uses the "$host" key while previously it used the "$uri" key'))
  await other.reload(conf('$uri', '2r/m'))
  assert.equal(await status(), 503)
})

const REFUSED: readonly (readonly [string, string])[] = [
  ['limit_req zone=none;', 'zero size shared memory zone "none"'],
  [
    'limit_req_zone $uri zone=x:1m rate=1r/s; limit_req_zone $host zone=x:1m rate=1r/s;',
    'limit_req_zone "x" is already bound to key "$uri"',
  ],
  [
    'limit_req_zone $uri zone=x:1m rate=1r/s; limit_conn_zone $uri zone=x:1m;',
    'the shared memory zone "x" is already declared for a different use',
  ],
  ['limit_req_zone $uri zone=x:1m rate=0r/s;', 'invalid rate "rate=0r/s"'],
  ['limit_req_zone $uri zone=x:1m;', 'invalid number of arguments in "limit_req_zone" directive'],
  ['limit_req_zone $uri rate=1r/s rate=1r/s;', '"limit_req_zone" must have "zone" parameter'],
  ['limit_req_zone $nothing zone=x:1m rate=1r/s;', 'unknown "nothing" variable'],
  ['limit_req_zone $uri zone=x:1m rate=1r/s; limit_req zone=x burst=0;', 'invalid burst value "burst=0"'],
  ['limit_req_zone $uri zone=x:1m rate=1r/s; limit_req zone=x what;', 'invalid parameter "what"'],
  ['limit_req burst=1;', '"limit_req" must have "zone" parameter'],
  [
    'limit_req_zone $uri zone=x:1m rate=1r/s; limit_req zone=x; limit_req zone=x burst=1;',
    '"limit_req" directive is duplicate',
  ],
]

test('mistakes are named as nginx names them', async () => {
  await using prefix = await Prefix.create('')
  for (const [text, message] of REFUSED) {
    prefix.write('nginx.conf', `events { } http { ${text} }`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1, text)
    assert.ok(stderr.includes(message), `${text}\n${stderr}`)
  }
})
