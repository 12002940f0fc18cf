/** `sticky`: clients stay with a server, by a cookie that is set here, by what a variable says, or by learned sessions. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { disposeAll } from '../harness/dispose.ts'
import { Peer, reply } from '../harness/peer.ts'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

const CONF = `
worker_processes 2;
http {
  upstream cookie {
    sticky cookie srv expires=1h domain=.$arg_d httponly secure samesite=$arg_s path=/p;
    server 127.0.0.1:A; server 127.0.0.1:B;
  }
  upstream retried { sticky cookie srv; server 127.0.0.1:%%PORT_1%% max_fails=0; server 127.0.0.1:B backup; }
  upstream route {
    sticky route $cookie_r $arg_r;
    server 127.0.0.1:A route=a; server 127.0.0.1:B route=b drain;
  }
  upstream learn {
    sticky learn create=$upstream_cookie_sid lookup=$cookie_sid zone=sessions:64k;
    server 127.0.0.1:A; server 127.0.0.1:B;
  }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location /cookie { proxy_pass http://cookie; }
    location /retried { proxy_pass http://retried; }
    location /route { proxy_pass http://route; }
    location /learn { proxy_pass http://learn; }
  }
}`

let a: Peer
let b: Peer
let server: Server

before(async () => {
  a = await Peer.start(({ line }) => reply('a', line.includes('/learn/begin') ? ['Set-Cookie: sid=s1; path=/'] : []))
  b = await Peer.start(() => reply('b'))
  server = await startViaduct(CONF.replaceAll(':A', `:${a.port}`).replaceAll(':B', `:${b.port}`))
})
after(() => disposeAll(server, a, b))

async function get(target: string, cookie = ''): Promise<{ body: string; cookies: string[] }> {
  const response = await fetch(server.url(target), { headers: cookie === '' ? {} : { Cookie: cookie } })
  return { body: await response.text(), cookies: response.headers.getSetCookie() }
}

function sidOf(port: number): string {
  return createHash('md5').update(`127.0.0.1:${port}`).digest('hex')
}

test('the cookie has the MD5 of the address of the server, and all attributes', async () => {
  const { body, cookies } = await get('/cookie?d=x.test&s=lax')
  const sid = sidOf(body === 'a' ? a.port : b.port)
  assert.equal(cookies.length, 1)
  const [, date] = /; expires=([^;]+)/.exec(cookies[0]!)!
  assert.equal(
    cookies[0],
    `srv=${sid}; expires=${date}; max-age=3600; domain=.x.test; httponly; secure; samesite=lax; path=/p`,
  )
  const secondsLeft = (Date.parse(date!.replaceAll('-', ' ')) - Date.now()) / 1000
  assert.ok(secondsLeft > 3500 && secondsLeft < 3601)
})

test('a value of samesite that is none becomes strict', async () => {
  assert.match((await get('/cookie?s=what')).cookies[0]!, /; samesite=strict;/)
})

test('a request with the cookie goes to its server; one that is unknown goes anywhere', async () => {
  for (const peer of [a, b, b, a, a, a]) {
    const { body } = await get('/cookie', `other=1; srv=${sidOf(peer.port)}`)
    assert.equal(body, peer === a ? 'a' : 'b')
  }
  assert.match((await get('/cookie', 'srv=nobody')).body, /^[ab]$/)
})

test('a retry with another server replaces the cookie', async () => {
  const { body, cookies } = await get('/retried')
  assert.equal(body, 'b')
  assert.deepEqual(cookies, [`srv=${sidOf(b.port)}`])
})

test('a server that drains is for those who ask for it', async () => {
  assert.equal((await get('/route?r=b')).body, 'b')
  assert.equal((await get('/route?r=a')).body, 'a')
  assert.equal((await get('/route?r=a', 'r=b')).body, 'b', 'the first variable with a value counts')
  for (let i = 0; i < 4; i++) assert.equal((await get('/route')).body, 'a')
})

test('all workers know the sessions that one of them learned', async () => {
  for (;;) if ((await get('/learn/begin')).body === 'a') break
  for (let i = 0; i < 8; i++) {
    // A connection each, so that both workers are asked.
    const text = await server.raw(`GET /learn HTTP/1.1\r\nHost: x\r\nCookie: sid=s1\r\nConnection: close\r\n\r\n`)
    assert.ok(text.endsWith('\r\n\r\na'))
  }
})

test('what is wrong is told', async () => {
  const cases: readonly [string, RegExp][] = [
    ['sticky cookie "";', /empty cookie name/],
    ['sticky cookie a domain=;', /no value for "domain"/],
    ['sticky cookie a secure secure;', /parameter "secure" is duplicate/],
    ['sticky cookie a samesite=all;', /invalid "samesite" parameter value/],
    ['sticky cookie a expires=soon;', /invalid "expires" parameter value/],
    ['sticky cookie a what;', /unknown parameter "what"/],
    ['sticky route a;', /invalid variable name "a"/],
    ['sticky what a;', /unknown parameter "what"/],
    ['sticky learn create=$arg_a zone=z:64k;', /"lookup" parameter is not specified/],
    ['sticky learn lookup=$arg_a zone=z:64k;', /"create" parameter is not specified/],
    ['sticky learn lookup=$arg_a create=$arg_a;', /"zone" parameter is not specified/],
    ['sticky learn lookup=$arg_a create=$arg_a zone=z:1k;', /zone is too small/],
    ['sticky learn lookup=a;', /missing variable in the "lookup" parameter/],
    [`server 127.0.0.1:2 route=${'x'.repeat(33)};`, /route is longer than 32/],
    ['sticky route $nothing;', /unknown "nothing" variable/],
  ]
  for (const [line, message] of cases) {
    await using prefix = await Prefix.create(`events { } http { upstream u { server 127.0.0.1:1; ${line} } }`)
    assert.match((await prefix.run(['-t'])).stderr, message, line)
  }
})
