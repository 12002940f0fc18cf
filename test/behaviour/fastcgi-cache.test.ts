/** fastcgi_cache, uwsgi_cache and scgi_cache: the cache is the proxy's; here is what differs by protocol. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { ask, EXPIRED } from '../harness/cached.ts'
import { CgiPeer } from '../harness/cgi-peer.ts'
import { answer, FastcgiPeer, record, STDERR, STDOUT } from '../harness/fastcgi-peer.ts'
import { freePorts } from '../harness/ports.ts'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'
import { until } from '../harness/wait.ts'

type Params = ReadonlyMap<string, string>
type Way = 'fastcgi' | 'uwsgi' | 'scgi'
const NGINX = '/usr/sbin/nginx'

function conf(way: Way, port: number, more = '', key = `${way}_cache_key $request_uri;`): string {
  return `user root; worker_processes 1; http {
    ${way}_cache_path %%DIR%%/cache levels=1:2 keys_zone=one:1m;
    server { listen 127.0.0.1:%%PORT_0%%; add_header X-Cache $upstream_cache_status always;
      location / { ${way}_pass 127.0.0.1:${port}; include ${way}_params; ${way}_param REQUEST_URI $request_uri;
        ${way}_cache one; ${key} ${more} } } }`
}

/** An application of that kind, which answers with the text of a CGI program. */
async function application(way: Way, cgi: (params: Params) => string): Promise<AsyncDisposable & { port: number }> {
  if (way === 'fastcgi') return FastcgiPeer.start(({ params }) => answer(cgi(params)))
  return CgiPeer[way](({ params }) => cgi(params))
}

/** What the cache said, and the body. */
async function outcome(server: Server, target: string): Promise<string> {
  const response = await fetch(server.url(target))
  return `${response.headers.get('x-cache')} ${await response.text()}`
}

const MODIFIED = 'Wed, 21 Oct 2015 07:28:00 GMT'

for (const way of ['fastcgi', 'uwsgi', 'scgi'] as const) {
  test(`${way}: of a cache and a store the inner block's holds`, async () => {
    await using peer = await application(way, () => 'Content-Type: text/plain\r\n\r\nkept')
    const inner = `location /stored/ { ${way}_pass 127.0.0.1:${peer.port}; ${way}_store %%DIR%%/store$uri; }`
    const text = conf(way, peer.port, `${way}_cache_valid 1m;`).replace(`${way}_cache one;`, '')
    await using server = await startViaduct(text.replace('location /', `${way}_cache one; ${inner} location /`))
    for (const expected of ['null kept', 'null kept']) assert.equal(await outcome(server, '/stored/a'), expected)
    assert.equal(server.prefix.read('store/stored/a'), 'kept')
    for (const expected of ['MISS kept', 'HIT kept']) assert.equal(await outcome(server, '/b'), expected)
    assert.equal(fs.existsSync(`${server.dir}/store/b`), false)
  })

  test(`${way}: kept, answered from the cache, also for HEAD, and renewed`, async () => {
    const seen: Params[] = []
    await using app = await application(way, (params) => {
      seen.push(params)
      if (params.get('HTTP_IF_NONE_MATCH') === '"e"') return 'Status: 304\r\n\r\n'
      const expiry = params.get('REQUEST_URI') === '/stale' ? EXPIRED : 'Cache-Control: max-age=100'
      return `Status: 200 Fine\r\n${expiry}\r\nX-Own: a\r\nETag: "e"\r\nLast-Modified: ${MODIFIED}\r\n\r\nbody`
    })
    await using server = await startViaduct(conf(way, app.port, `${way}_cache_revalidate on;`))
    // The application is asked by GET, without conditions or ranges, so that the whole can be kept.
    const fields = ['If-None-Match: "x"', 'Range: bytes=0-1', `If-Modified-Since: ${MODIFIED}`]
    assert.match(await ask(server, '/', fields, 'HEAD'), /^HTTP\/1\.1 200 Fine\r\n/)
    const [first] = seen
    assert.equal(first!.get('REQUEST_METHOD'), 'GET')
    for (const name of ['HTTP_IF_NONE_MATCH', 'HTTP_RANGE', 'HTTP_IF_MODIFIED_SINCE'])
      assert.equal(first!.has(name), false, name)
    assert.equal(await outcome(server, '/'), 'HIT body')
    const hit = await ask(server, '/')
    assert.match(hit, /^HTTP\/1\.1 200 Fine\r\n/)
    assert.match(hit, /\r\nX-Own: a\r\n/)
    assert.doesNotMatch(hit, way === 'uwsgi' ? /X-Accel/ : /\r\nStatus:|X-Accel/)
    assert.equal(seen.length, 1)
    assert.equal(await outcome(server, '/stale'), 'MISS body')
    assert.equal(await outcome(server, '/stale'), 'REVALIDATED body')
    assert.equal(seen.at(-1)!.get('HTTP_IF_MODIFIED_SINCE'), MODIFIED)
  })
}

test('without a key nothing is mixed up, and the configuration is warned of', async () => {
  await using app = await FastcgiPeer.start(({ params }) =>
    answer(`Cache-Control: max-age=9\r\n\r\n${params.get('REQUEST_URI')}`),
  )
  await using server = await startViaduct(conf('fastcgi', app.port, '', ''))
  assert.equal(await outcome(server, '/a'), 'MISS /a')
  assert.equal(await outcome(server, '/b'), 'MISS /b')
  assert.equal(await outcome(server, '/a'), 'HIT /a')
  assert.match(server.stderr + server.errorLog(), /\[warn\].*no "fastcgi_cache_key" for "fastcgi_cache"/)
})

test('what is kept is purged by name, and an unknown zone is told of', async () => {
  await using app = await FastcgiPeer.start(() => answer('Cache-Control: max-age=9\r\n\r\nbody'))
  const text = conf('fastcgi', app.port)
  await using server = await startViaduct(
    text.replace('location / {', 'location ~ /purge(/.*) { fastcgi_cache_purge one $1; } location / {'),
  )
  assert.equal(await outcome(server, '/a'), 'MISS body')
  assert.equal(await outcome(server, '/a'), 'HIT body')
  assert.equal((await fetch(server.url('/purge/a'))).status, 200)
  assert.equal(await outcome(server, '/a'), 'MISS body')
  await using wrong = await Prefix.create(`events { } ${text.replace('fastcgi_cache one', 'fastcgi_cache two')}`)
  assert.match((await wrong.run(['-t'])).stderr, /\[emerg\] "fastcgi_cache" zone "two" is unknown/)
})

test('a head in several records, with stderr between them, is kept whole', async () => {
  await using app = await FastcgiPeer.start(
    () =>
      record(STDERR, 'x') +
      record(STDOUT, 'Cache-Control: max-') +
      record(STDERR, 'y') +
      answer('age=9\r\nA: b\r\n\r\nbody'),
  )
  await using server = await startViaduct(conf('fastcgi', app.port))
  assert.equal(await outcome(server, '/'), 'MISS body')
  const hit = await ask(server, '/')
  // Its length may be known by now, or not yet.
  assert.match(hit, /\r\nA: b\r\nX-Cache: HIT\r\n\r\n(?:body|4\r\nbody\r\n0\r\n\r\n)$/)
})

test('files are those of nginx, both ways', { skip: !fs.existsSync(NGINX) }, async () => {
  await using app = await FastcgiPeer.start(({ params }) =>
    answer(`Status: 201 Made\r\nCache-Control: max-age=1000\r\nX-Own: a\r\n\r\nbody of ${params.get('REQUEST_URI')}`),
  )
  await using prefix = await Prefix.create('', {
    fastcgi_params: fs.readFileSync(new URL('../../conf/fastcgi_params', import.meta.url)),
  })
  const text = conf('fastcgi', app.port).replace('%%DIR%%/cache', `${prefix.dir}/cache`)
  const own = `daemon on; pid %%DIR%%/nginx.pid; error_log %%DIR%%/n.log; events { } ${text}`
  prefix.write('nginx.conf', own.replace('%%PORT_0%%', String((await freePorts(1))[0])))
  const [port] = /listen 127.0.0.1:(\d+)/.exec(prefix.read('nginx.conf'))!.slice(1)
  const nginx = (...more: string[]) => {
    const args = ['-p', `${prefix.dir}/`, '-c', `${prefix.dir}/nginx.conf`, ...more]
    const { status, stderr } = spawnSync(NGINX, args, { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  }
  const get = async (target: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}${target}`, { headers: { connection: 'close' } })
    return `${response.status} ${response.headers.get('x-own')} ${response.headers.get('x-cache')} ${await response.text()}`
  }
  const end = async (): Promise<void> => {
    nginx('-s', 'quit')
    await until('nginx has ended', () => !fs.existsSync(`${prefix.dir}/nginx.pid`))
  }
  nginx()
  assert.equal(await get('/theirs'), '201 a MISS body of /theirs')
  await end()
  {
    await using server = await startViaduct(text)
    assert.equal(await outcome(server, '/theirs'), 'HIT body of /theirs')
    assert.equal(await outcome(server, '/ours'), 'MISS body of /ours')
  }
  nginx()
  assert.equal(await get('/ours'), '201 a HIT body of /ours')
  await end()
})
