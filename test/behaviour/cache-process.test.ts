/** The cache over reloads and deaths, with any protocol to back ends, beside error pages, redirects and subrequests. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { ask, cachedConf, outcome } from '../harness/cached.ts'
import { H2Peer } from '../harness/h2-peer.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const KEEP = 'proxy_cache_valid 1m;'

test('reloads while responses are fetched, followed and served', async () => {
  await using peer = await Peer.start(({ line }) => reply(`to ${line.split(' ')[1]} ${'x'.repeat(100_000)}`))
  const conf = cachedConf(peer, `${KEEP} proxy_cache_lock on;`)
  await using server = await startViaduct(conf)
  let stop = false
  const load = async (n: number) => {
    for (let i = 0; !stop; i = (i + 1) % 7) {
      const text = await outcome(server, `/${n % 2}${i}`)
      assert.ok(text.endsWith(`to /${n % 2}${i} ${'x'.repeat(100_000)}`), text.slice(0, 300))
    }
  }
  const clients = [0, 1, 2, 3].map(load)
  for (let i = 0; i < 3; i++) await server.reload(conf)
  stop = true
  await Promise.all(clients)
  assert.ok(peer.requests.length <= 14, `${peer.requests.length} requests`)
})

test('a server that is killed while it stores has stored nothing', async () => {
  await using peer = await Peer.start(({ line }) =>
    line.includes('/half') ? 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf' : reply('whole'),
  )
  const conf = cachedConf(peer, KEEP)
  await using server = await startViaduct(conf, { alerts: true })
  assert.equal(await outcome(server, '/a'), 'MISS whole')
  using client = await server.connect()
  client.write('GET /half HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until(/half$/)
  const [, master, worker] = /(\d+)#\d+: start worker process (\d+)/.exec(server.errorLog()) ?? []
  for (const child of fs.readFileSync(`/proc/${master}/task/${master}/children`, 'latin1').trim().split(' ')) {
    process.kill(Number(child), 'SIGKILL')
  }
  await client.rest()
  await server.until('others', () => new RegExp(`start worker process (?!${worker}\\b)`).test(server.errorLog()))
  assert.equal(await outcome(server, '/a'), 'HIT whole')
  using other = await server.connect()
  other.write('GET /half HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.match(await other.until(/half$/), /X-Cache: MISS/)
  peer.requests.at(-1)!.socket.write('-done')
  await other.until(/half-done$/)
})

test('what an HTTP/2 back end answers', async () => {
  await using peer = await H2Peer.start((stream) =>
    stream.reply(`to ${stream.path}`, [
      ['etag', '"e"'],
      ['x-a', '1'],
    ]),
  )
  const conf = `user root; worker_processes 1; http { proxy_cache_path %%DIR%%/cache keys_zone=one:1m;
    server { listen 127.0.0.1:%%PORT_0%%; add_header X-Cache $upstream_cache_status; proxy_http_version 2;
      location / { proxy_pass http://127.0.0.1:${peer.port}; proxy_cache one; ${KEEP} } } }`
  await using server = await startViaduct(conf)
  assert.equal(await outcome(server, '/a', ['Range: bytes=0-0']), 'MISS to /a')
  const hit = await ask(server, '/a')
  assert.match(
    hit,
    /^HTTP\/1.1 200[\s\S]*Content-Length: 5\r\n[\s\S]*ETag: "e"\r\n[\s\S]*x-a: 1\r\nX-Cache: HIT\r\n\r\nto \/a$/i,
  )
  assert.match(await ask(server, '/a', ['If-None-Match: "e"']), /^HTTP\/1.1 304 /)
  assert.equal(peer.streams.length, 1)
})

test('X-Accel-Redirect is followed each time; what it leads to may come from the cache', async () => {
  await using peer = await Peer.start(({ line }) =>
    line.includes('/old') ? reply('', ['X-Accel-Redirect: /new', 'Cache-Control: max-age=60']) : reply('inside'),
  )
  await using server = await startViaduct(cachedConf(peer, KEEP))
  assert.equal(await outcome(server, '/old'), 'MISS inside')
  assert.equal(await outcome(server, '/old'), 'HIT inside')
  assert.deepEqual(
    peer.requests.map(({ line }) => line.split(' ')[1]),
    ['/old', '/new', '/old'],
  )
})

test('in subrequests, and through filters', async () => {
  await using peer = await Peer.start(({ line }) => {
    if (line.includes('/page'))
      return reply('<!--#include virtual="/piece" -->, <!--#include virtual="/piece" -->', ['Content-Type: text/html'])
    return reply('part', ['Content-Type: text/html'])
  })
  const more = `${KEEP} ssi on; sub_filter part PART; proxy_cache_lock on;`
  await using server = await startViaduct(cachedConf(peer, more))
  for (let i = 0; i < 2; i++) assert.match(await ask(server, '/page'), /PART[\s\S]*, [\s\S]*PART/)
  assert.equal(peer.requests.length, 2)
})

test('hits answer where the back end is away, and its name is not to be found', async () => {
  const peer = await Peer.start(() => reply('x'))
  const conf = (server = '') =>
    cachedConf(peer, `${KEEP} set $host_name 127.0.0.1; proxy_pass http://$host_name:${peer.port}; ${server}`).replace(
      `proxy_pass http://127.0.0.1:${peer.port};`,
      '',
    )
  await using server: Server = await startViaduct(conf())
  assert.equal(await outcome(server, '/a'), 'MISS x')
  await peer[Symbol.asyncDispose]()
  assert.equal(await outcome(server, '/a'), 'HIT x')
  assert.match(await ask(server, '/b'), /^HTTP\/1.1 502 /)
})
