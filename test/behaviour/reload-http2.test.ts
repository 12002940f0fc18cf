/** A reload changes nothing of what an open HTTP/2 connection was told: its client counts on that. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const BODY = 'a'.repeat(60_000)
const STREAMS = 8

function conf(settings: string): string {
  return `http { server { listen 127.0.0.1:%%PORT_0%%; http2 on; ${settings}
    location / { proxy_pass http://127.0.0.1:%%PORT_1%%; } }
    server { listen 127.0.0.1:%%PORT_1%%; location / { return 200 ok; } } }`
}

async function post(session: http2.ClientHttp2Session): Promise<unknown> {
  const stream = session.request({ ':method': 'POST', ':path': '/' })
  stream.end(BODY)
  stream.resume()
  const [headers] = await once(stream, 'response')
  await once(stream, 'close')
  return headers[':status']
}

test('less is to be sent unasked, in fewer streams', async () => {
  await using server = await startViaduct(conf('http2_body_preread_size 64k;'))
  const session = http2.connect(server.url('/'))
  assert.equal(await post(session), 200)
  await server.reload(conf('http2_body_preread_size 1k; http2_max_concurrent_streams 1;'))
  const statuses = await Promise.all(Array.from({ length: STREAMS }, () => post(session)))
  assert.deepEqual(new Set(statuses), new Set([200]))
  session.close()
  await once(session, 'close')
})
