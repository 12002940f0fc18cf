/** What must never come out of a cache: other people's responses, parts that pass for the whole, bodies of other requests. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { ask, cachedConf, EXPIRED, outcome } from '../harness/cached.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const KEEP = 'proxy_cache_valid 200 206 301 404 1m;'

/** The files of the cache. */
function files(server: Server): string[] {
  const entries = fs.readdirSync(`${server.dir}/cache`, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && /^[0-9a-f]{32}$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
}

test('the answer to HEAD never stands for the body', async () => {
  await using peer = await Peer.start(({ line }) =>
    line.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n' : reply('body'),
  )
  // The method belongs into the key, and somebody has forgotten it.
  await using server = await startViaduct(cachedConf(peer, `${KEEP} proxy_cache_convert_head off;`))
  assert.match(await ask(server, '/a', [], 'HEAD'), /^HTTP\/1.1 200 [\s\S]*Content-Length: 4\r\n/)
  assert.equal(await outcome(server, '/a'), 'MISS body')
  assert.equal(await outcome(server, '/a'), 'HIT body')
})

test('a body that is cut short is not kept', async () => {
  await using peer = await Peer.start(({ socket, line }) => {
    if (line.includes('/length')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
    else if (line.includes('/chunks')) socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')
    else socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nx')
    return undefined
  })
  await using server = await startViaduct(cachedConf(peer, KEEP))
  for (const kind of ['/length', '/chunks', '/broken']) {
    for (let i = 0; i < 2; i++) assert.match(await ask(server, kind), /X-Cache: MISS/)
  }
  assert.deepEqual(files(server), [])
})

test('a part that a client asks for does not become the whole', async () => {
  await using peer = await Peer.start(({ field }) =>
    field('range') === undefined
      ? reply('0123456789', ['Accept-Ranges: bytes'])
      : reply('0', ['Content-Range: bytes 0-0/10'], '206 Partial Content'),
  )
  await using server = await startViaduct(cachedConf(peer, `${KEEP} proxy_cache_max_range_offset 5;`))
  assert.match(await ask(server, '/a', ['Range: bytes=7-7']), /^HTTP\/1.1 206 [\s\S]*\r\n\r\n0$/)
  assert.match(await ask(server, '/a', ['Range: bytes=1-1']), /^HTTP\/1.1 206 [\s\S]*X-Cache: MISS[\s\S]*\r\n\r\n1$/)
  assert.equal(await outcome(server, '/a'), 'HIT 0123456789')
  assert.equal(await outcome(server, '/a', ['Range: bytes=99-']), await outcome(server, '/a', ['Range: bytes=99-']))
  assert.equal(await outcome(server, '/a'), 'HIT 0123456789')
})

test("a client's own conditions do not renew what is stored", async () => {
  let now = 'old'
  await using peer = await Peer.start(({ field }) =>
    field('if-none-match') === `"${now}"`
      ? 'HTTP/1.1 304 Not Modified\r\n\r\n'
      : reply(now, [EXPIRED, `ETag: "${now}"`]),
  )
  // The range makes the request one that is not for the cache, so that its conditions go on.
  await using server = await startViaduct(
    cachedConf(peer, 'proxy_cache_revalidate on; proxy_cache_max_range_offset 0;'),
  )
  assert.equal(await outcome(server, '/a'), 'MISS old')
  now = 'new'
  const own = await ask(server, '/a', ['If-None-Match: "new"', 'Range: bytes=0-'])
  assert.match(own, /^HTTP\/1.1 304 /)
  assert.equal(await outcome(server, '/a'), 'EXPIRED new')
})

test('responses that are meant for one are not kept for others', async () => {
  const fields: Readonly<Record<string, string>> = {
    '/cookie': 'Set-Cookie: session=1',
    '/private': 'Cache-Control: private',
  }
  await using peer = await Peer.start(({ line, field }) =>
    reply(`for ${field('authorization')}`, [fields[line.split(' ')[1]!] ?? 'A: b']),
  )
  await using server = await startViaduct(
    cachedConf(peer, `${KEEP} proxy_no_cache $http_authorization; proxy_cache_bypass $http_authorization;`),
  )
  for (const target of ['/cookie', '/private']) {
    for (let i = 0; i < 2; i++) assert.match(await outcome(server, target), /^MISS/)
  }
  assert.equal(await outcome(server, '/a', ['Authorization: me']), 'BYPASS for me')
  assert.equal(await outcome(server, '/a'), 'MISS for undefined')
  assert.equal(await outcome(server, '/a', ['Authorization: you']), 'BYPASS for you')
  assert.equal(await outcome(server, '/a'), 'HIT for undefined')
})

test('variants do not take the place of one another, whatever stands in the fields', async () => {
  await using peer = await Peer.start(({ field }) => reply(`${field('a') ?? '-'}|${field('b') ?? '-'}`, ['Vary: A, B']))
  await using server = await startViaduct(cachedConf(peer, KEEP))
  const pairs = [
    ['1', '2'],
    ['2', '1'],
    ['1\tb:2', ''],
    ['', '1'],
    ['1', ''],
    ['1,2', ''],
  ] as const
  for (const expected of ['MISS', 'HIT']) {
    for (const [a, b] of pairs) {
      const fields = [...(a === '' ? [] : [`A: ${a}`]), ...(b === '' ? [] : [`B: ${b}`])]
      assert.equal(await outcome(server, '/a', fields), `${expected} ${a || '-'}|${b || '-'}`)
    }
  }
})

test('a response that begins to vary is not served to those whom it does not fit', async () => {
  let vary: readonly string[] = []
  await using peer = await Peer.start(({ field }) => reply(field('a') ?? '-', [...vary, 'X-Accel-Expires: 60']))
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_bypass $http_again;'))
  assert.equal(await outcome(server, '/a', ['A: 1']), 'MISS 1')
  vary = ['Vary: A']
  assert.equal(await outcome(server, '/a', ['A: 1', 'Again: 1']), 'BYPASS 1')
  assert.equal(await outcome(server, '/a', ['A: 1']), 'HIT 1')
  assert.equal(await outcome(server, '/a', ['A: 2']), 'MISS 2')
})

test('a file that belongs to another key is a miss', async () => {
  await using peer = await Peer.start(({ line }) => reply(line.split(' ')[1]!))
  const conf = cachedConf(peer, `${KEEP} proxy_cache_key $uri;`)
    .replace('keys_zone=one:1m', 'keys_zone=one:1m:memory=0')
    .replace(':memory=0', '')
  await using server = await startViaduct(conf.replace('levels=1:2 ', 'levels=1:2 memory=0 '))
  for (const target of ['/mine', '/theirs']) assert.equal(await outcome(server, target), `MISS ${target}`)
  const [one, other] = files(server)
  fs.copyFileSync(one!, `${server.dir}/swap`)
  fs.copyFileSync(other!, one!)
  fs.copyFileSync(`${server.dir}/swap`, other!)
  for (const target of ['/mine', '/theirs']) assert.equal(await outcome(server, target), `MISS ${target}`)
  for (const target of ['/mine', '/theirs']) assert.equal(await outcome(server, target), `HIT ${target}`)
})

test('hits of one location do not have the rules of another', async () => {
  await using peer = await Peer.start(() => reply('x', ['Secret: 1', 'Location: http://inside/x']))
  const more = `${KEEP} proxy_cache_key same; proxy_hide_header Secret; proxy_redirect http://inside/ /outside/; } location /raw {
    proxy_pass http://127.0.0.1:${peer.port}; proxy_cache one; proxy_cache_key same; proxy_redirect off; ${KEEP}`
  await using server = await startViaduct(cachedConf(peer, more))
  for (let i = 0; i < 3; i++) {
    const hidden = await ask(server, '/a')
    assert.doesNotMatch(hidden, /Secret/)
    assert.match(hidden, /^Location: http:\/\/x:?\d*\/outside\/x\r$/m)
    assert.match(await ask(server, '/raw'), /Secret: 1[\s\S]*Location: http:\/\/inside\/x/)
  }
  assert.equal(peer.requests.length, 1)
})
