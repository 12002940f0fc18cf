/** Which code resets the stream of a request that is not answered (ngx_http_v2_close_stream in ngx_http_v2.c). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INTERNAL_ERROR, PROTOCOL_ERROR } from '../../src/http/h2/wire/frames.ts'
import { H2Client } from '../harness/h2-client.ts'
import { startViaduct } from '../harness/server.ts'

const CONF = `http {
  access_log %%DIR%%/access.log all; log_format all '$uri $status';
  limit_req_zone $uri zone=requests:1m rate=1r/m; limit_conn_zone $server_port zone=connections:1m;
  server {
    listen 127.0.0.1:%%PORT_0%%; http2 on; client_body_timeout 100ms; root %%DIR%%;
    location = /close { return 444; }
    location = /page { error_page 404 /close; }
    location = /named { deny all; error_page 403 = @close; }
    location = /files { try_files /nosuch =444; }
    location = /often { limit_req zone=requests; limit_req_status 444; }
    location = /much { limit_conn connections 1; limit_conn_status 444; limit_rate 1; alias %%DIR%%/file; }
    location = /body { client_body_in_single_buffer on; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location = /timeout { return 408; }
    location @close { return 444; }
  }
}`

test('a stream that is closed instead of answered', async (t) => {
  await using server = await startViaduct(CONF, { files: { file: 'x'.repeat(100) } })
  await using client = await H2Client.connect(server.prefix.port())
  let id = -1
  const reset = async (path: string): Promise<number | undefined> => {
    id += 2
    client.request(id, { path })
    return (await client.response(id)).reset
  }
  for (const path of ['/close', '/page', '/named', '/files']) {
    await t.test(`${path}: 444`, async () => assert.equal(await reset(path), PROTOCOL_ERROR))
  }
  await t.test('limit_req_status 444', async () => {
    assert.equal(await reset('/often'), undefined)
    assert.equal(await reset('/often'), PROTOCOL_ERROR)
  })
  await t.test('limit_conn_status 444', async () => {
    id += 2
    client.request(id, { path: '/much' })
    assert.equal(await reset('/much'), PROTOCOL_ERROR)
  })
  await t.test('a body that does not come in time', async () => {
    id += 2
    client.request(id, { method: 'POST', path: '/body', body: 'begin', open: true })
    assert.equal((await client.response(id)).reset, PROTOCOL_ERROR)
    await server.logged(/client timed out \(110: Connection timed out\)/)
  })
  await t.test('408 of the configuration is nobody’s fault', async () => {
    assert.equal(await reset('/timeout'), INTERNAL_ERROR)
  })
})
