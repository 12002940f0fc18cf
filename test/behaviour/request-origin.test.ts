/** Where a request comes from: realip, valid_referers, secure_link; and the empty picture. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONF = `
http { server { listen 127.0.0.1:%%PORT_0%%; server_name own.org; port_in_redirect off;
  location /real { set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For; error_page 404 =200 /show; }
  location /recursive { set_real_ip_from 127.0.0.0/8; set_real_ip_from 192.0.2.0/24; real_ip_recursive on;
    real_ip_header X-Forwarded-For; error_page 404 =200 /show; }
  location /distrusted { set_real_ip_from 192.0.2.0/24; error_page 404 =200 /show; }
  location /show { return 200 "$remote_addr $remote_port $realip_remote_addr"; }
  location /referer { valid_referers none blocked server_names *.good.com www.path.com/in ~\\.re\\.; return 200 "[$invalid_referer]"; }
  location /link { secure_link $arg_md5,$arg_e; secure_link_md5 "secret$uri$arg_e"; return 200 "[$secure_link|$secure_link_expires]"; }
  location /old { secure_link_secret word; return 200 "[$secure_link]"; }
  location /gif { empty_gif; }
} }`

test('the address, the page and the link that a request comes with', async () => {
  await using server = await startViaduct(CONF)
  const get = async (target: string, headers: Record<string, string> = {}): Promise<string> =>
    (await fetch(server.url(target), { headers })).text()

  const forwarded = { 'X-Forwarded-For': '198.51.100.7:81, 192.0.2.1', 'X-Real-IP': '203.0.113.9' }
  assert.equal(await get('/real', forwarded), '192.0.2.1  127.0.0.1')
  assert.equal(await get('/recursive', forwarded), '198.51.100.7 81 127.0.0.1')
  assert.match(await get('/distrusted', forwarded), /^127\.0\.0\.1 \d+ 127\.0\.0\.1$/)

  const referers: readonly (readonly [string, string])[] = [
    ['http://a.good.com/x', ''],
    ['https://A.GOOD.com:8080', ''],
    ['http://good.com/', '1'],
    ['http://www.path.com/inside', ''],
    ['http://www.path.com/out', '1'],
    ['http://a.re.b/', ''],
    ['http://own.org/', ''],
    ['hidden', ''],
    ['ftp://evil.com/', ''],
    ['http://evil.com/', '1'],
  ]
  for (const [referer, invalid] of referers) {
    assert.equal(await get('/referer', { Referer: referer }), `[${invalid}]`, referer)
  }
  assert.equal(await get('/referer'), '[]')

  const md5 = (text: string) => createHash('md5').update(text).digest()
  const late = '4000000000'
  const link = (e: string): string => `/link?md5=${md5(`secret/link${e}`).toString('base64url')}&e=${e}`
  assert.equal(await get(link(late)), `[1|${late}]`)
  assert.equal(await get(link('1000')), '[0|1000]')
  assert.equal(await get(link(late).replace('e=4', 'e=5')), `[|5${late.slice(1)}]`)
  assert.equal(await get(`/old/${md5('a/bword').toString('hex')}/a/b`), '[a/b]')
  assert.equal(await get(`/old/${md5('a/cword').toString('hex')}/a/b`), '[]')

  const gif = await fetch(server.url('/gif'))
  assert.equal(gif.headers.get('content-type'), 'image/gif')
  assert.equal((await gif.arrayBuffer()).byteLength, 43)
  assert.equal((await fetch(server.url('/gif'), { method: 'POST' })).status, 405)
})
