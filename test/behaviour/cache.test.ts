/** proxy_cache: what is kept, for how long, and what is answered from it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, cachedConf, EXPIRED, outcome } from '../harness/cached.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

/** A back end that counts its answers, each with the fields that the query names. */
function counting(): Promise<Peer> {
  let count = 0
  return Peer.start(({ line }) => {
    const query = decodeURIComponent(/\?(\S*)/.exec(line)?.[1] ?? '')
    return reply(`answer ${++count}`, query === '' ? [] : query.split('&'))
  })
}

test('a response is kept for as long as it says, and no other', async () => {
  await using peer = await counting()
  await using server = await startViaduct(cachedConf(peer))
  assert.equal(await outcome(server, '/a?Cache-Control:max-age=60'), 'MISS answer 1')
  assert.equal(await outcome(server, '/a?Cache-Control:max-age=60'), 'HIT answer 1')
  assert.equal(await outcome(server, '/nothing-said'), 'MISS answer 2')
  assert.equal(await outcome(server, '/nothing-said'), 'MISS answer 3')
  for (const forbidding of ['Cache-Control:private', 'X-Accel-Expires:0', 'Set-Cookie:a=b', 'Vary:*']) {
    const path = `/b?Cache-Control:max-age=60&${forbidding}`
    assert.match(await outcome(server, path), /^MISS/)
    assert.match(await outcome(server, path), /^MISS/, forbidding)
  }
  assert.match(await outcome(server, '/b?Cache-Control:no-store&X-Accel-Expires:60'), /^MISS/)
  assert.match(await outcome(server, '/b?Cache-Control:no-store&X-Accel-Expires:60'), /^HIT/)
})

test('HEAD asks for the whole, which then answers GET', async () => {
  await using peer = await counting()
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_valid 1m;'))
  const head = await ask(server, '/a', [], 'HEAD')
  assert.match(head, /^HTTP\/1.1 200 OK[\s\S]*Content-Length: 8\r\n[\s\S]*X-Cache: MISS\r\n\r\n$/)
  assert.equal(peer.request.line, 'GET /a HTTP/1.1')
  assert.equal(await outcome(server, '/a'), 'HIT answer 1')
  assert.match(await ask(server, '/a', [], 'HEAD'), /Content-Length: 8\r\n[\s\S]*X-Cache: HIT\r\n\r\n$/)
})

test('the back end hears of no ranges and conditions, which are answered here', async () => {
  await using peer = await Peer.start(() => reply('0123456789', ['ETag: "x"', 'Accept-Ranges: bytes']))
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_valid 1m;'))
  const first = await ask(server, '/a', ['Range: bytes=2-3', 'If-None-Match: "y"', 'If-Range: "x"'])
  assert.match(first, /^HTTP\/1.1 206 [\s\S]*X-Cache: MISS\r\n[\s\S]*Content-Range: bytes 2-3\/10\r\n[\s\S]*\r\n23$/)
  for (const name of ['range', 'if-none-match', 'if-range']) assert.equal(peer.request.field(name), undefined)
  assert.match(await ask(server, '/a', ['Range: bytes=-1']), / 206 [\s\S]*\r\n\r\n9$/)
  assert.match(await ask(server, '/a', ['Range: bytes=0-0,2-2']), / 206 [\s\S]*multipart\/byteranges/)
  assert.match(await ask(server, '/a', ['If-None-Match: "x"']), /^HTTP\/1.1 304 /)
  assert.equal(peer.requests.length, 1)
})

test('an expired response is asked for again, or about', async () => {
  await using peer = await Peer.start(({ line, field }) => {
    if (!line.includes('/changes') && field('if-none-match') === '"x"') return 'HTTP/1.1 304 Not Modified\r\n\r\n'
    return reply(`answer to ${field('if-none-match') ?? 'nobody'}`, [EXPIRED, 'ETag: "x"'])
  })
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_revalidate on;'))
  assert.equal(await outcome(server, '/a'), 'MISS answer to nobody')
  assert.equal(await outcome(server, '/a'), 'REVALIDATED answer to nobody')
  assert.equal(await outcome(server, '/changes'), 'MISS answer to nobody')
  assert.equal(await outcome(server, '/changes'), 'EXPIRED answer to "x"')
})

test('variants are kept apart', async () => {
  await using peer = await Peer.start(({ field }) =>
    reply(`for ${field('accept-language')}`, ['Vary: Accept-Language']),
  )
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_valid 1m;'))
  const lang = (value: string) => outcome(server, '/a', [`Accept-Language: ${value}`])
  assert.equal(await lang('de'), 'MISS for de')
  assert.equal(await lang('fr, en'), 'MISS for fr, en')
  assert.equal(await lang('de'), 'HIT for de')
  assert.equal(await lang('fr,en'), 'HIT for fr, en')
})

test('proxy_store and proxy_cache exclude one another, and the inner block holds', async () => {
  await using peer = await counting()
  const inner = `proxy_cache_valid 1m; } location /stored/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_store %%DIR%%/store$uri;`
  const conf = cachedConf(peer, inner).replace('server {', 'proxy_cache one; server {')
  await using server = await startViaduct(conf)
  assert.equal(await outcome(server, '/stored/a'), '- answer 1')
  assert.equal(await outcome(server, '/stored/a'), '- answer 2')
  assert.equal(server.prefix.read('store/stored/a'), 'answer 2')
  const both = await server.reloadRefused(cachedConf(peer, 'proxy_store on;'))
  assert.match(both, /\[emerg\].* "proxy_store" directive is incompatible with "proxy_cache" in .*nginx.conf:\d/)
  const unknown = await server.reloadRefused(conf.replaceAll('proxy_cache one', 'proxy_cache two'))
  assert.match(unknown, /\[emerg\].* "proxy_cache" zone "two" is unknown/)
})

test('a key that is too long costs the cache, not the response', async () => {
  await using peer = await counting()
  await using server = await startViaduct(
    cachedConf(peer, 'proxy_cache_valid 1m; proxy_buffer_size 1k; proxy_busy_buffers_size 8k;'),
  )
  const path = `/${'x'.repeat(500)}`
  for (const count of [1, 2]) assert.equal(await outcome(server, path), `- answer ${count}`)
  await server.logged(
    /\[error\].* proxy_buffer_size 1024 is not enough for cache key, it should be increased to at least 2048,/,
  )
})

test('what is asked for often is kept, and a zone may be named by a variable', async () => {
  await using peer = await counting()
  const map = 'map $arg_zone $zone { off off; none nobody; default one; }'
  const conf = cachedConf(peer, 'proxy_cache_valid 1m; proxy_cache_min_uses 2; proxy_cache_key $uri;', map).replace(
    'proxy_cache one',
    'proxy_cache $zone',
  )
  await using server = await startViaduct(conf)
  assert.equal(await outcome(server, '/a'), 'MISS answer 1')
  assert.equal(await outcome(server, '/a'), 'MISS answer 2')
  assert.equal(await outcome(server, '/a'), 'HIT answer 2')
  assert.match(await outcome(server, '/a?zone=off'), /^- answer/)
  assert.match(await ask(server, '/a?zone=none'), /^HTTP\/1.1 500 /)
  await server.logged(/\[error\].* cache "nobody" not found/)
})
