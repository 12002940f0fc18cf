/** limit_rate behind filters that have more to say after they were told to wait. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { startViaduct } from '../harness/server.ts'

const BODY = Array.from({ length: 60_000 }, (_, i) => `${i * 7919} `).join('')

const CONF = `
http {
  default_type text/html;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    limit_rate 1m;
    limit_rate_after 100k;
    location /packed { gunzip on; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /plain { gzip on; gzip_comp_level 1; gzip_http_version 1.0; proxy_pass http://127.0.0.1:%%PORT_1%%; }
  }
  server {
    listen 127.0.0.1:%%PORT_1%%;
    root %%DIR%%;
    gzip_static always;
    location /plain { gzip_static off; }
  }
}`

test('gunzip and gzip lose nothing', async () => {
  await using server = await startViaduct(CONF, { files: { 'packed.gz': gzipSync(BODY), plain: BODY } })
  const packed = await server.raw('GET /packed HTTP/1.0\r\n\r\n')
  assert.ok(packed.endsWith(`\r\n\r\n${BODY}`), `${packed.length} bytes of ${BODY.length}`)
  const answer = await server.raw('GET /plain HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n')
  const text = answer.slice(answer.indexOf('\r\n\r\n') + 4)
  assert.match(answer, /Content-Encoding: gzip/)
  assert.ok(gunzipSync(Buffer.from(text, 'latin1')).toString() === BODY)
})
