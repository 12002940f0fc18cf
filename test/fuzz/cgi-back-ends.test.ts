/**
 * Mutated answers of FastCGI, uwsgi and SCGI applications, from a fixed seed: every request is answered or cut off, what is
 * answered in full is what was sent, and the server lives.
 */
import assert from 'node:assert/strict'
import type net from 'node:net'
import { test } from 'node:test'
import { CgiPeer } from '../harness/cgi-peer.ts'
import { Dice } from '../harness/dice.ts'
import { END_OF_REQUEST, FastcgiPeer, record, STDERR, STDOUT } from '../harness/fastcgi-peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const ROUNDS = 400
const AT_ONCE = 20
const dice = new Dice(20261129)

/** The text of a CGI program, which may be wrong in its own way. */
function cgi(): string {
  const body = 'x'.repeat(dice.below(3000))
  const length = dice.of(['', '', `Content-Length: ${body.length}\r\n`, `Content-Length: ${dice.below(4000)}\r\n`])
  const status = dice.of(['', 'Status: 200 OK\r\n', 'Status: 404 Gone\r\n', 'Status: 204\r\n', 'Status: 1000\r\n'])
  return `${status}${length}A: ${'b'.repeat(dice.below(60))}\r\n\r\n${body}`
}

function inRecords(text: string): string {
  let records = ''
  for (let at = 0; at < text.length; ) {
    const size = 1 + dice.below(dice.of([5, 100, 4000]))
    records += record(STDOUT, text.slice(at, at + size), dice.below(9))
    if (dice.below(4) === 0) records += record(STDERR, 'e'.repeat(dice.below(200)), dice.below(3))
    at += size
  }
  return records + dice.of([record(STDOUT, ''), '']) + dice.of([END_OF_REQUEST, END_OF_REQUEST, ''])
}

/** Some bytes are others, some are left out, some come twice. */
function mutated(text: string): Buffer {
  let bytes: Buffer = Buffer.from(text, 'latin1')
  for (let n = dice.below(5) - 1; n > 0; n--) bytes[dice.below(bytes.length)] = dice.below(dice.of([8, 256]))
  if (dice.below(5) === 0) bytes = bytes.subarray(0, dice.below(bytes.length))
  if (dice.below(8) === 0) bytes = Buffer.concat([bytes, bytes.subarray(dice.below(bytes.length))])
  return bytes
}

function send(socket: net.Socket, text: string): undefined {
  const bytes = mutated(text)
  const cut = dice.below(bytes.length + 1)
  socket.write(bytes.subarray(0, cut))
  setImmediate(() => {
    if (dice.below(10) === 0) socket.resetAndDestroy()
    else socket.end(bytes.subarray(cut))
  })
}

async function hammer(server: Server, paths: readonly string[]): Promise<void> {
  let good = 0
  const ask = async (path: string): Promise<void> => {
    const text = await server.raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    assert.match(text, /^HTTP\/1\.1 (?:[2-9]\d\d) |^$/)
    if (text.startsWith('HTTP/1.1 200')) good++
  }
  for (let round = 0; round < ROUNDS; round += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => ask(paths[i % paths.length]!)))
  }
  assert.ok(good > ROUNDS / 20, `${good} were good`)
  assert.equal(await (await fetch(server.url('/alive'))).text(), 'alive')
}

test('FastCGI', async () => {
  await using peer = await FastcgiPeer.start(({ socket }) => send(socket, inRecords(cgi())))
  const pass = `fastcgi_pass app; fastcgi_read_timeout 300ms; fastcgi_next_upstream off;`
  await using server = await startViaduct(`http {
    fastcgi_cache_path %%DIR%%/cache keys_zone=one:1m; upstream app { server 127.0.0.1:${peer.port} max_fails=0; }
    server { listen 127.0.0.1:%%PORT_0%%; location /alive { return 200 alive; }
      location / { ${pass} } location /kept { ${pass} fastcgi_keep_conn on; }
      location /stream { ${pass} fastcgi_buffering off; }
      location /cached { ${pass} fastcgi_cache one; fastcgi_cache_key $uri; fastcgi_cache_valid any 1s; } } }`)
  await hammer(server, ['/', '/kept', '/stream', '/cached'])
})

for (const way of ['uwsgi', 'scgi'] as const) {
  test(way, async () => {
    await using peer = await CgiPeer[way](({ socket }) =>
      send(socket, `${dice.of(['', 'HTTP/1.1 200 OK\r\n'])}${cgi()}`),
    )
    const pass = `${way}_pass app; ${way}_read_timeout 300ms; ${way}_next_upstream off;`
    await using server = await startViaduct(`http { upstream app { server 127.0.0.1:${peer.port} max_fails=0; }
      server { listen 127.0.0.1:%%PORT_0%%; location /alive { return 200 alive; }
        location / { ${pass} } location /stream { ${pass} ${way}_buffering off; } } }`)
    await hammer(server, ['/', '/stream'])
  })
}
