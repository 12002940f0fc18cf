/** Browsers: ancient and modern ones, and the cookies that tell them apart. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONF = `
http { userid_name id; server { listen 127.0.0.1:%%PORT_0%%;
  location /listed { modern_browser msie 5.5; modern_browser gecko 1.0.0; ancient_browser_value old; return 200 "$modern_browser|$ancient_browser|$msie"; }
  location /unlisted { modern_browser unlisted; modern_browser_value new; ancient_browser Lynx netscape4; return 200 "$modern_browser|$ancient_browser"; }
  location /cookie { userid on; userid_expires max; userid_domain example.org; userid_path /p; userid_flags secure httponly samesite=lax;
    userid_p3p none; return 200 "$uid_got|$uid_set"; }
  location /marked { userid v1; userid_service 7; userid_mark m; userid_p3p policy; return 200 "$uid_got|$uid_set"; }
  location /reset { userid on; set $uid_reset log; return 200 "$uid_got"; }
  location /log { userid log; return 200 "$uid_got|$uid_set"; }
} }`

test('browsers are judged by what they say', async () => {
  await using server = await startViaduct(CONF)
  const get = async (target: string, agent: string): Promise<string> =>
    (await fetch(server.url(target), { headers: { 'User-Agent': agent } })).text()
  assert.equal(await get('/listed', 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)'), '1||1')
  assert.equal(await get('/listed', 'Mozilla/4.0 (compatible; MSIE 5.0; Windows NT 5.1)'), '|old|1')
  assert.equal(await get('/listed', 'Mozilla/4.0 (compatible; MSIE 6.0; X11) Opera 7.50  [en]'), '|old|')
  assert.equal(await get('/listed', 'Mozilla/5.0 (X11; rv:1.0.0) Gecko/20020610'), '1||')
  assert.equal(await get('/unlisted', 'Anything'), 'new|')
  assert.equal(await get('/unlisted', 'Lynx/2'), '|1')
  assert.equal(await get('/unlisted', 'Mozilla/4.72 [en]'), '|1')
})

test('browsers get cookies', async () => {
  await using server = await startViaduct(CONF)
  const get = async (target: string, cookie = '') => {
    const response = await fetch(server.url(target), { headers: cookie === '' ? {} : { Cookie: cookie } })
    return { text: await response.text(), cookie: response.headers.get('set-cookie') ?? '', headers: response.headers }
  }
  const first = await get('/cookie')
  const attributes =
    '; expires=Thu, 31-Dec-37 23:55:55 GMT; domain=example.org; path=/p; secure; httponly; samesite=lax'
  assert.match(first.text, /^\|id=0100007F[0-9A-F]{24}$/)
  assert.match(first.cookie, /^id=fwAAAW?/)
  assert.ok(first.cookie.endsWith(attributes))
  const sent = first.cookie.split(';', 1)[0]!
  const second = await get('/cookie', `a=b; ${sent}`)
  assert.equal(second.text, `${first.text.slice(1)}|`)
  assert.equal(second.cookie, '')
  assert.equal((await get('/log', sent)).text, `${first.text.slice(1)}|`)
  const marked = await get('/marked', sent)
  assert.equal(marked.cookie, `${sent.slice(0, -2)}m=; path=/`)
  assert.equal(marked.headers.get('p3p'), 'policy')
  assert.equal((await get('/marked', marked.cookie.split(';', 1)[0])).cookie, '')
  assert.match((await get('/marked')).text, /^\|id=00000007/)
  assert.notEqual((await get('/reset', sent)).cookie, '')
  await server.logged(/userid cookie "id=0100007F[0-9A-F]{24}" was reset/)
  await get('/log', 'id=short')
  await server.logged(/client sent too short userid cookie "id=short"/)
  await get('/log', `id=${'*'.repeat(24)}`)
  await server.logged(/client sent invalid userid cookie/)
})
