/** HTTP/2 clients whose next request crosses the GOAWAY behind the last one: it is ignored, and costs no other request. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CANCEL, NO_ERROR, RST_STREAM, WINDOW_UPDATE } from '../../src/http/h2/wire/frames.ts'
import { H2Client, u32Text } from '../harness/h2-client.ts'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const conf = (port: number, text: string) => `http {
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    ${text}
    location / { proxy_pass http://127.0.0.1:${port}; }
  }
}`

for (const text of ['keepalive_requests 1;', 'keepalive_timeout 0;']) {
  test(`behind ${text}`, async () => {
    await using peer = await Peer.start((request) => reply(`for ${request.body}`))
    await using server = await startViaduct(conf(peer.port, text))
    await using client = await H2Client.connect(server.prefix.port())
    client.request(1, { method: 'POST', open: true })
    assert.deepEqual(await client.goAway(), { last: 1, code: NO_ERROR })
    client.request(3, { method: 'POST', open: true })
    client.data(3, 'lost')
    client.frame(WINDOW_UPDATE, 0, 3, u32Text(1000))
    client.data(3, 'lost', true)
    client.request(5, { method: 'POST', body: 'lost' })
    client.frame(RST_STREAM, 0, 5, u32Text(CANCEL))
    client.data(1, 'the first', true)
    const { status, body } = await client.response(1)
    assert.deepEqual([status, body], [200, 'for the first'])
    assert.deepEqual(
      peer.requests.map((request) => request.body),
      ['the first'],
    )
    assert.doesNotMatch(server.errorLog(), /idle stream/)
  })
}

test('a stream that no client may begin is no request that has crossed', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(conf(peer.port, 'keepalive_requests 1;'))
  await using client = await H2Client.connect(server.prefix.port())
  client.request(1, { method: 'POST', open: true })
  await client.goAway()
  client.data(2, 'x')
  await client.closed()
})
