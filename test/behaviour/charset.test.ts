/** charset, source_charset and charset_map: labels, and bodies that are recoded from and to UTF-8. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Utf8Table } from '../../src/modules/http/charset/tables.ts'
import { Prefix, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  types { text/html html; image/png png; }
  charset_map koi8-r utf-8 { C1 D0B0; C2 D0B1; }
  charset_map koi8-r windows-1251 { C1 E0; C2 E1; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    charset utf-8;
    location /koi/ { alias %%DIR%%/; charset koi8-r; source_charset utf-8; }
    location /win/ { alias %%DIR%%/; charset windows-1251; source_charset koi8-r; }
    location /utf/ { alias %%DIR%%/; source_charset koi8-r; }
    location /unknown/ { alias %%DIR%%/; charset $arg_to; source_charset koi8-r; }
  }
}`
const FILES = {
  'utf.html': Buffer.from('аб and € ', 'utf8'),
  'koi.html': Buffer.from([0xc1, 0x20, 0xc2, 0xc3]),
  'a.png': 'png',
}

test('types get a charset, and bodies follow it', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const get = async (uri: string) => {
    const response = await fetch(server.url(uri))
    return [response.headers.get('content-type'), Buffer.from(await response.arrayBuffer()).toString('latin1')]
  }
  assert.equal((await get('/utf.html'))[0], 'text/html; charset=utf-8')
  assert.equal((await get('/a.png'))[0], 'image/png')
  assert.deepEqual(await get('/koi/utf.html'), ['text/html; charset=koi8-r', '\xc1\xc2 and &#8364; '])
  assert.deepEqual(await get('/win/koi.html'), ['text/html; charset=windows-1251', '\xe0 \xe1?'])
  assert.deepEqual(await get('/utf/koi.html'), ['text/html; charset=utf-8', '\xd0\xb0 \xd0\xb1?'])
  assert.deepEqual(await get('/unknown/koi.html?to=klingon'), ['text/html', '\xc1 \xc2\xc3'])
  await server.logged(/no "charset_map" between the charsets "koi8-r" and "klingon"/)
})

test('ranges of a body that keeps its length are recoded', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const response = await fetch(server.url('/win/koi.html'), { headers: { range: 'bytes=2-2' } })
  assert.equal(response.status, 206)
  assert.equal(Buffer.from(await response.arrayBuffer()).toString('latin1'), '\xe1')
})

test('a charset without a table is refused', async () => {
  await using prefix = await Prefix.create('events {} http { server { charset a; source_charset b; } }')
  const { stderr, code } = await prefix.run(['-t'])
  assert.equal(code, 1)
  assert.match(stderr, /no "charset_map" between the charsets "b" and "a"/)
})

test('UTF-8 is decoded at every cut', () => {
  const table = new Utf8Table()
  table.set(0xe4, Buffer.from('ä'))
  const text = Buffer.from('aä€\u{1f600}z', 'utf8')
  for (let cut = 0; cut <= text.length; cut++) {
    const recoder = table.back.start()
    const parts = [text.subarray(0, cut), text.subarray(cut)].map((part) => Buffer.from(recoder.recode(part)))
    assert.equal(Buffer.concat(parts).toString('latin1'), 'a\xe4&#8364;&#128512;z', `cut at ${cut}`)
  }
})
