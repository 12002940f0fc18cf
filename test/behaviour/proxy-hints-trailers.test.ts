/** What a back end sends around its response: early hints (103) and trailers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const conf = (peer: Peer, more = '') => `http { upstream group { server 127.0.0.1:${peer.port}; }
  server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://group; ${more} } } }`

async function ask(server: Server, version = '1.1', fields = ''): Promise<string> {
  return server.raw(`GET / HTTP/${version}\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`)
}

const HINTS = ['HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload', 'X-Accel-Expires: 1', '', ''].join('\r\n')
const PASSED = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n'

test('early hints are passed on where early_hints says so, without hidden fields', async () => {
  await using peer = await Peer.start(() => HINTS + reply('ok'))
  await using server = await startViaduct(conf(peer, 'early_hints $http_hints;'))
  assert.ok((await ask(server, '1.1', 'Hints: 1\r\n')).startsWith(PASSED))
  for (const answer of [await ask(server), await ask(server, '1.1', 'Hints: 0\r\n')]) {
    assert.ok(answer.startsWith('HTTP/1.1 200 OK\r\n'), answer)
    assert.doesNotMatch(answer, /Link/)
  }
  assert.ok((await ask(server, '1.0', 'Hints: 1\r\n')).startsWith('HTTP/1.1 200 OK\r\n'), 'HTTP/1.0 knows no hints')
})

test('early hints that are too big stay behind; the response comes all the same', async () => {
  const big = `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(700)}\r\n\r\n`
  await using peer = await Peer.start(() => big + big + reply('ok'))
  await using server = await startViaduct(conf(peer, 'early_hints 1; proxy_buffer_size 1k;'))
  const answer = await ask(server)
  assert.equal(answer.split('103 Early Hints').length - 1, 1)
  assert.match(answer, /\r\n\r\nok$/)
})

test('other interim responses are not for the client', async () => {
  await using peer = await Peer.start(() => `HTTP/1.1 102 Processing\r\nX: y\r\n\r\n${reply('ok')}`)
  await using server = await startViaduct(conf(peer, 'early_hints 1;'))
  assert.ok((await ask(server)).startsWith('HTTP/1.1 200 OK\r\n'))
})

const chunked = (trailers: string) =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${trailers}\r\n`

test('proxy_pass_trailers passes trailers on, and they are variables', async () => {
  await using peer = await Peer.start(() => chunked('X-Sum: 1\r\nX-Gone: 2\r\nX-Sum: 3\r\n'))
  await using server = await startViaduct(
    conf(peer, 'proxy_pass_trailers on; proxy_hide_header X-Gone; add_trailer X-All $upstream_trailer_x_sum;'),
  )
  assert.ok((await ask(server)).endsWith('0\r\nX-Sum: 1\r\nX-Sum: 3\r\nX-All: 1, 3\r\n\r\n'))
  assert.equal(peer.sockets.length, 1)
})

test('without it they are dropped, and the connection is kept', async () => {
  await using peer = await Peer.start(() => chunked('X-Sum: 1\r\n'))
  await using server = await startViaduct(conf(peer))
  for (let i = 0; i < 2; i++) assert.ok((await ask(server)).endsWith('2\r\nok\r\n0\r\n\r\n'))
  assert.equal(peer.sockets.length, 1)
})

test('trailers however they are cut', async () => {
  const section = 'X-Sum: 1\r\nX-More: 2\r\n'
  const whole = chunked(section)
  let cut = whole.indexOf('0\r\nX')
  await using peer = await Peer.start(({ socket }) => {
    const rest = whole.slice(cut)
    socket.setNoDelay(true)
    socket.write(whole.slice(0, cut))
    setImmediate(() => setImmediate(() => socket.write(rest)))
    return undefined
  })
  await using server = await startViaduct(conf(peer, 'proxy_pass_trailers on;'))
  for (; cut < whole.length; cut++) assert.ok((await ask(server)).endsWith(`0\r\n${section}\r\n`), `cut at ${cut}`)
})

test('a trailer that is no field breaks the response off', async () => {
  await using peer = await Peer.start(() => chunked('not a field\r\n'))
  await using server = await startViaduct(conf(peer, 'proxy_pass_trailers on;'))
  assert.doesNotMatch(await ask(server), /0\r\n\r\n$/)
  assert.ok(server.errorLog().includes('upstream sent invalid trailer: "not a field"'))
})
