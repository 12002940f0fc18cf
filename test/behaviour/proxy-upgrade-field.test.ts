/** Upgrade in a response that switches nothing: HTTP/1 clients get it, with its name in Connection; nobody else does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { H2Client } from '../harness/h2-client.ts'
import { H2Peer, headFrames } from '../harness/h2-peer.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const conf = (port: number, more = ''): string => `http { early_hints 1; ${more}
  server { listen 127.0.0.1:%%PORT_0%%; http2 on; location / { proxy_pass http://127.0.0.1:${port}; } } }`

const ask = (more = ''): string => `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`

for (const status of ['200 OK', '426 Upgrade Required']) {
  test(`${status} to HTTP/1 and to HTTP/2`, async () => {
    await using peer = await Peer.start(() =>
      reply('ok', ['Upgrade: h2c', 'Upgrade: other', 'Connection: upgrade'], status),
    )
    await using server = await startViaduct(conf(peer.port))
    const answer = await server.raw(ask())
    assert.match(answer, /^Upgrade: h2c\r\n(.*\r\n)*Upgrade: other\r$/m)
    assert.match(answer, /^Connection: close\r$/m)
    assert.equal([...answer.matchAll(/^Connection: upgrade\r$/gm)].length, 1)
    await using client = await H2Client.connect(server.port())
    client.request(1)
    const { headers } = await client.response(1)
    assert.deepEqual([headers['upgrade'], headers['connection']], [undefined, undefined])
  })
}

test('it may be hidden', async () => {
  await using peer = await Peer.start(() => reply('ok', ['Upgrade: h2c', 'Connection: upgrade']))
  await using server = await startViaduct(conf(peer.port, 'proxy_hide_header Upgrade;'))
  assert.doesNotMatch(await server.raw(ask()), /upgrade/i)
})

test('103 does not have it', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n'
  await using peer = await Peer.start(() => hints + reply('ok'))
  await using server = await startViaduct(conf(peer.port))
  const answer = await server.raw(ask())
  assert.match(answer, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP/)
})

test('an HTTP/2 back end has nothing to upgrade', async () => {
  await using peer = await H2Peer.start()
  peer.onRequest = (stream) =>
    stream.send(
      headFrames(
        stream.id,
        [
          [':status', '200'],
          ['upgrade', 'h3'],
        ],
        true,
      ),
    )
  await using server = await startViaduct(conf(peer.port, 'proxy_http_version 2;'))
  assert.doesNotMatch(await server.raw(ask()), /upgrade/i)
})
