/** gzip, gzip_static, gunzip: what is compressed for whom, and that it comes out as it went in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Client, startViaduct } from '../harness/server.ts'

const TEXT = Array.from({ length: 9000 }, (_, i) => `line ${i % 700} of the text\n`).join('')
const SMALL = TEXT.slice(0, 5000)
const CONF = `
http {
  types { text/html html; text/css css; image/png png; }
  gzip on;
  gzip_vary on;
  gzip_types text/css;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    add_header X-Ratio $gzip_ratio;
    location /old/ { alias %%DIR%%/; gzip_http_version 1.0; gzip_disable "Mozilla/4" msie6; }
    location /proxied/ { alias %%DIR%%/; gzip_proxied no_etag; etag off; }
    location /stored/ { alias %%DIR%%/; gzip_static on; gzip off; }
    location /always/ { alias %%DIR%%/; gzip_static always; gunzip on; }
  }
}`
const FILES = {
  'small.html': SMALL,
  'big.html': TEXT,
  'a.css': SMALL,
  'a.png': SMALL,
  'tiny.html': 'tiny',
  'only.html.gz': gzipSync(TEXT),
  'bad.html.gz': Buffer.from('this is not gzip, and long enough to tell'),
}

type Fields = Record<string, string>
const GZIP = 'Accept-Encoding: gzip'

/** One request on a connection of its own: status, fields and the body as bytes. */
async function ask(port: number, target: string, fields: string, version = '1.0') {
  const response = await fetchRaw(
    port,
    `GET ${target} HTTP/${version}\r\nHost: h\r\nConnection: close\r\n${fields}\r\n\r\n`,
  )
  const [head = '', ...rest] = response.split('\r\n\r\n')
  const lines = head
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(/: /, 2))
  const found: Fields = Object.fromEntries(lines.map(([name, value]) => [name!.toLowerCase(), value!]))
  return { fields: found, body: Buffer.from(rest.join('\r\n\r\n'), 'latin1') }
}

async function fetchRaw(port: number, request: string): Promise<string> {
  const client = await Client.connect(port)
  client.write(request)
  return client.rest()
}

test('files are compressed for those who take it', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const get = (target: string, fields = GZIP) => ask(server.port(), target, fields, '1.1')
  for (const target of ['/small.html', '/a.css', '/big.html', '/small.html']) {
    const { fields, body } = await get(target)
    assert.equal(fields['content-encoding'], 'gzip', target)
    assert.equal(fields['vary'], 'Accept-Encoding')
    assert.match(fields['etag'] ?? '', /^W\/"/)
    assert.equal(fields['accept-ranges'], undefined)
    assert.equal(fields['content-length'], String(body.length))
    assert.equal(gunzipSync(body).toString(), target === '/big.html' ? TEXT : SMALL)
  }
  const encoded = async (target: string, fields: string) => (await get(target, fields)).fields['content-encoding']
  assert.equal(await encoded('/a.png', GZIP), undefined)
  assert.equal(await encoded('/tiny.html', GZIP), undefined)
  assert.equal(await encoded('/small.html', 'X: y'), undefined)
  assert.equal(await encoded('/small.html', 'Accept-Encoding: br, gzip;q=0.001'), 'gzip')
  assert.equal(await encoded('/small.html', 'Accept-Encoding: gzip;q=0.000'), undefined)
  assert.equal(await encoded('/small.html', 'Accept-Encoding: xgzip'), undefined)
  assert.equal(await encoded('/small.html', `${GZIP}\r\nVia: 1.1 proxy`), undefined)
  assert.equal(await encoded('/proxied/small.html', `${GZIP}\r\nVia: 1.1 proxy`), 'gzip')
  assert.equal(await encoded('/old/small.html', `${GZIP}\r\nUser-Agent: mozilla/4.0`), undefined)
  assert.equal(await encoded('/old/small.html', `${GZIP}\r\nUser-Agent: Opera (MSIE 5.5)`), undefined)
  assert.equal((await ask(server.port(), '/small.html', GZIP)).fields['content-encoding'], undefined)
  assert.equal((await ask(server.port(), '/old/small.html', GZIP)).fields['content-encoding'], 'gzip')
  assert.equal((await get('/missing')).fields['content-encoding'], 'gzip')
})

test('stored compressed files are sent as they are, or decompressed', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const stored = await ask(server.port(), '/stored/only.html', GZIP, '1.1')
  assert.equal(stored.fields['content-encoding'], 'gzip')
  assert.equal(gunzipSync(stored.body).toString(), TEXT)
  const missing = await ask(server.port(), '/stored/only.html', 'X: y', '1.1')
  assert.match(missing.body.toString(), /404 Not Found/)
  const plain = await ask(server.port(), '/always/only.html', 'X: y')
  assert.equal(plain.fields['content-encoding'], undefined)
  assert.equal(plain.body.toString(), TEXT)
  await ask(server.port(), '/always/bad.html', 'X: y')
  await server.logged(/inflate\(\) failed/)
})

test('without memory for content everything still works', async () => {
  const conf = CONF.replace('gzip on;', 'gzip on; open_file_cache_content off;')
  await using server = await startViaduct(conf.replace('root %%DIR%%;', 'root %%DIR%%; open_file_cache max=10;'), {
    files: FILES,
  })
  for (let i = 0; i < 3; i++) {
    const { fields, body } = await ask(server.port(), '/big.html', GZIP, '1.1')
    assert.equal(fields['content-encoding'], 'gzip')
    assert.equal(gunzipSync(body).toString(), TEXT)
    assert.equal((await ask(server.port(), '/a.png', GZIP, '1.1')).body.toString(), SMALL)
  }
})
