/** auth_oidc with a real provider: logins, what variables tell, logouts, renewed tokens, and what is refused. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http2 from 'node:http2'
import { after, before, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { disposeAll } from '../harness/dispose.ts'
import { Browser, type OidcServer, startOidc } from '../harness/oidc.ts'
import { freePorts } from '../harness/ports.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
worker_processes 2;
http {
  log_format user "$uri $status $oidc_claim_sub";
  access_log %%DIR%%/access.log user;
  oidc_provider idp {
    issuer ISSUER;
    client_id viaduct;
    client_secret "a secret & more";
    scope openid profile offline_access;
    extra_auth_args "prompt=consent";
    logout_uri /logout;
    post_logout_uri /bye;
    logout_token_hint on;
    frontchannel_logout_uri /front;
    userinfo on;
  }
  oidc_provider public { issuer ISSUER; client_id public; redirect_uri /back; cookie_name PUBLIC; pkce on; }
  oidc_provider lost { issuer http://127.0.0.1:%%PORT_1%%; client_id x; redirect_uri /lost_back; }
  oidc_provider wrong { issuer ISSUER/other; config_url ISSUER/.well-known/openid-configuration; client_id x; redirect_uri /w; }
  oidc_provider behind {
    issuer ISSUER; client_id public; redirect_uri https://shop.test/shop_back; cookie_name BEHIND;
    post_logout_uri /bye; logout_uri /shop_logout;
  }
  keyval_zone zone=store:1m state=%%DIR%%/sessions.json timeout=1h;
  oidc_provider stored {
    issuer ISSUER; client_id public; redirect_uri /stored_back; cookie_name STORED; session_store store; logout_uri /stored_out;
  }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    location /stored { auth_oidc stored; root %%DIR%%; add_header X-Sub $oidc_claim_sub; }
    location /behind { auth_oidc behind; root %%DIR%%; }
    location /either { satisfy any; auth_oidc idp; auth_basic x; auth_basic_user_file users; root %%DIR%%; }
    location /code { auth_oidc idp; auth_jwt x token=$oidc_id_token; auth_jwt_key_request /jwks; root %%DIR%%; }
    location = /jwks { internal; proxy_pass ISSUER/jwks; proxy_set_header Accept-Encoding ""; }
    location / {
      auth_oidc idp;
      add_header X-User "$oidc_claim_sub|$oidc_claim_name|$oidc_claim_groups" always;
      add_header X-Tokens "$oidc_access_token $oidc_id_token" always;
      add_header X-Info "$oidc_userinfo" always;
      proxy_set_header X-Sub $oidc_claim_sub;
      proxy_pass http://127.0.0.1:%%PORT_2%%;
    }
    location /file { auth_oidc idp; auth_require $oidc_claim_sub; root %%DIR%%; add_header X-Sub $oidc_claim_sub; }
    location /open { add_header X-Sub "$oidc_claim_sub" always; root %%DIR%%; }
    location /public { auth_oidc public; root %%DIR%%; }
    location /lost { auth_oidc lost; root %%DIR%%; }
    location /wrong { auth_oidc wrong; root %%DIR%%; }
    location /bye { return 200 bye; }
  }
  server { listen 127.0.0.1:%%PORT_2%%; access_log off; return 200 "page of $http_x_sub"; }
}`

let server: Server
let idp: OidcServer
before(async () => {
  const [port] = await freePorts(1)
  const files = {
    file: 'file',
    open: 'open',
    public: 'public',
    either: 'either',
    code: 'code',
    stored: 'stored',
    users: 'bob:{PLAIN}secret\n',
  }
  server = await startViaduct(CONF.replaceAll('ISSUER', `http://127.0.0.1:${port}`), {
    files,
    prepare: (dir) => fs.chmodSync(dir, 0o777),
  })
  const grants = ['authorization_code', 'refresh_token']
  idp = await startOidc(
    port!,
    [
      {
        client_id: 'viaduct',
        client_secret: 'a secret & more',
        redirect_uris: [server.url('/oidc_callback')],
        post_logout_redirect_uris: [server.url('/bye')],
        grant_types: grants,
      },
      {
        client_id: 'public',
        redirect_uris: [server.url('/back'), server.url('/stored_back')],
        token_endpoint_auth_method: 'none',
      },
    ],
    { ttl: { AccessToken: 2, IdToken: 3600, Session: 3600, Grant: 3600, Interaction: 600, RefreshToken: 3600 } },
  )
})
after(() => disposeAll(server, idp))

function isCallback(url: string): boolean {
  return /\/(?:oidc_callback|back)\?/.test(url)
}

test('who is not logged in is sent to the provider, and comes back', async () => {
  const browser = new Browser()
  const first = await browser.get(server.url('/a?b=c'))
  assert.equal(first.status, 302)
  const asked = new URL(first.headers.get('location')!)
  assert.equal(asked.origin, idp.issuer)
  assert.equal(asked.searchParams.get('code_challenge_method'), 'S256')
  assert.equal(asked.searchParams.get('redirect_uri'), server.url('/oidc_callback'))
  assert.equal(asked.searchParams.get('prompt'), 'consent')
  assert.ok(asked.searchParams.get('nonce'))
  assert.equal(first.headers.get('cache-control'), 'no-store')
  const { url, response } = await browser.login(server.url('/a?b=c'), 'ann')
  assert.equal(url, server.url('/a?b=c'), `${idp.problems} ${server.errorLog()}`)
  assert.equal(await response.text(), 'page of ann')
  assert.equal(response.headers.get('x-user'), 'ann|Name of ann|staff,chiefs')
  assert.match(response.headers.get('x-tokens')!, /^\S+ [\w-]+\.[\w-]+\.[\w-]+$/)
  assert.deepEqual(JSON.parse(response.headers.get('x-info')!).groups, ['staff', 'chiefs'])
  const again = await browser.get(server.url('/file'))
  assert.deepEqual([again.status, again.headers.get('x-sub')], [200, 'ann'])
  assert.equal((await browser.get(server.url('/open'))).headers.get('x-sub'), null)
})

test('every worker knows the session', async () => {
  const browser = new Browser()
  await browser.login(server.url('/'), 'bob')
  for (let i = 0; i < 12; i++) {
    const init = { headers: { connection: 'close' } }
    assert.equal(await (await browser.get(server.url('/'), init)).text(), 'page of bob')
  }
})

test('a state is used once', async () => {
  const browser = new Browser()
  const { url } = await browser.login(server.url('/'), 'ann', isCallback)
  assert.match(url, /oidc_callback/)
  const first = await browser.get(url)
  assert.deepEqual([first.status, first.headers.get('location')], [302, server.url('/')])
  const again = await browser.get(url)
  assert.deepEqual([again.status, again.headers.get('set-cookie')], [403, null])
  const thief = await new Browser().get(url)
  assert.deepEqual([thief.status, thief.headers.get('set-cookie')], [403, null])
  await server.logged(/OpenID Connect: the "state" of a login was used before/)
})

test('a state of another browser logs nobody in', async () => {
  const [victim, attacker] = [new Browser(), new Browser()]
  const { url } = await attacker.login(server.url('/'), 'eve', isCallback)
  // The victim is made to open the attacker's callback: it is sent to log in itself.
  const answer = await victim.get(url)
  assert.equal(answer.status, 302)
  assert.equal(new URL(answer.headers.get('location')!).origin, idp.issuer)
  assert.equal(victim.cookie(server.url('/'), 'NGX_OIDC_SESSION'), undefined)
  const own = await victim.login(answer.headers.get('location')!, 'vic')
  assert.equal(await own.response.text(), 'page of vic')
})

test('without cookies there is an end', async () => {
  let { url } = await new Browser().login(server.url('/'), 'ann', isCallback)
  for (let i = 0; i < 2; i++) {
    const back = await new Browser().get(url)
    assert.equal(back.status, 302)
    url = (await new Browser().login(back.headers.get('location')!, 'ann', isCallback)).url
  }
  assert.equal((await new Browser().get(url)).status, 403)
})

test('states that are made up', async () => {
  const browser = new Browser()
  const { url } = await browser.login(server.url('/'), 'ann', isCallback)
  const state = new URL(url).searchParams.get('state')!
  const changed = state.slice(0, -2) + (state.endsWith('AA') ? 'BB' : 'AA')
  const base = server.url('/oidc_callback?code=x')
  for (const end of [
    '',
    '&state=',
    '&state=x',
    `&state=${changed}`,
    `&state=${state}&state=${state}`,
    '&state=%00%ff',
  ]) {
    assert.equal((await browser.get(base + end)).status, 403)
  }
})

test('a code that the provider does not know, and a refusal of its own', async () => {
  for (const said of ['code=wrong', 'error=access_denied']) {
    const browser = new Browser()
    const { url } = await browser.login(server.url('/'), 'ann', isCallback)
    const state = new URL(url).searchParams.get('state')!
    const iss = encodeURIComponent(idp.issuer)
    assert.equal((await browser.get(server.url(`/oidc_callback?${said}&state=${state}&iss=${iss}`))).status, 403)
  }
  await server.logged(/a login failed: .*invalid_grant/)
  await server.logged(/a login failed: .*access_denied/)
})

test('a session that is made up is none', async () => {
  const browser = new Browser()
  for (const value of ['x', 'A'.repeat(32), '%00', 'A'.repeat(500)]) {
    browser.setCookie(server.url('/'), 'NGX_OIDC_SESSION', value)
    assert.equal((await browser.get(server.url('/'))).status, 302)
  }
})

test('nobody is sent to another site', async () => {
  const answer = await server.raw(
    `GET //evil.test/ HTTP/1.1\r\nHost: 127.0.0.1:${server.port()}\r\nConnection: close\r\n\r\n`,
  )
  assert.match(answer, /^HTTP\/1.1 302/)
  const browser = new Browser()
  browser.setCookie(server.url('/'), 'NGX_OIDC_SESSION_LOGIN', /NGX_OIDC_SESSION_LOGIN=(\w+)/.exec(answer)![1]!)
  const { url } = await browser.login(/Location: (\S+)/.exec(answer)![1]!, 'ann')
  assert.equal(url, server.url('/'))
})

test('tokens that have ended are renewed', async () => {
  const browser = new Browser()
  const { response } = await browser.login(server.url('/'), 'ann')
  const before = response.headers.get('x-tokens')
  await server.until('a new token', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => browser.get(server.url('/'))))
    for (const answer of answers) assert.equal(await answer.text(), 'page of ann')
    return answers.some((answer) => answer.headers.get('x-tokens') !== before)
  })
})

test('a user logs out', async () => {
  const browser = new Browser()
  await browser.login(server.url('/'), 'ann')
  const session = browser.cookie(server.url('/'), 'NGX_OIDC_SESSION')!
  const out = await browser.get(server.url('/logout'))
  assert.equal(out.status, 302)
  const url = new URL(out.headers.get('location')!)
  assert.match(url.pathname, /^\/session\/end/)
  assert.equal(url.searchParams.get('post_logout_redirect_uri'), server.url('/bye'))
  assert.match(url.searchParams.get('id_token_hint')!, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  assert.equal(browser.cookie(server.url('/'), 'NGX_OIDC_SESSION'), undefined)
  browser.setCookie(server.url('/'), 'NGX_OIDC_SESSION', session)
  assert.equal((await browser.get(server.url('/'))).status, 302)
})

test('the provider ends a session', async () => {
  const browser = new Browser()
  const { response } = await browser.login(server.url('/'), 'ann')
  const token = response.headers.get('x-tokens')!.split(' ')[1]!
  const { sid } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
  const front = (iss: string, s: string): Promise<Response> =>
    new Browser().get(server.url(`/front?iss=${encodeURIComponent(iss)}&sid=${encodeURIComponent(s)}`))
  assert.equal((await front('http://evil.test', sid ?? 'x')).status, 400)
  assert.equal((await browser.get(server.url('/'))).status, 200)
  if (sid === undefined) {
    await browser.get(server.url('/front'))
  } else assert.equal((await front(idp.issuer, sid)).status, 200)
  assert.equal((await browser.get(server.url('/'))).status, 302)
})

test('a client without a secret', async () => {
  const browser = new Browser()
  const { response } = await browser.login(server.url('/public'), 'ann')
  assert.equal(await response.text(), 'public', `${idp.problems} ${server.errorLog()}`)
  assert.ok(browser.cookie(server.url('/'), 'PUBLIC'))
  assert.equal((await browser.get(server.url('/'))).status, 302)
})

test('sessions in a keyval zone, whose file shows nothing', async () => {
  const browser = new Browser()
  // Too long to come about by chance in what is encrypted.
  const user = 'zoe-of-the-store'
  const { response } = await browser.login(server.url('/stored'), user)
  assert.equal(response.headers.get('x-sub'), user, server.errorLog())
  await server.reload()
  for (let i = 0; i < 6; i++) {
    const again = await browser.get(server.url('/stored'), { headers: { connection: 'close' } })
    assert.equal(again.headers.get('x-sub'), user)
  }
  const kept = server.prefix.read('sessions.json')
  assert.ok(Object.keys(JSON.parse(kept)).length >= 2)
  assert.doesNotMatch(kept, new RegExp(`${user}|eyJhbGci|${browser.cookie(server.url('/'), 'STORED')}`))
  await browser.get(server.url('/stored_out'))
  assert.equal((await browser.get(server.url('/stored'))).status, 302)
})

test('behind a proxy that ends TLS', async () => {
  const answer = await new Browser().get(server.url('/behind'))
  const asked = new URL(answer.headers.get('location')!)
  assert.equal(asked.searchParams.get('redirect_uri'), 'https://shop.test/shop_back')
  assert.match(
    answer.headers.get('set-cookie')!,
    /^BEHIND_LOGIN=\w+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/,
  )
  const out = await new Browser().get(server.url('/shop_logout'))
  const end = new URL(out.headers.get('location')!)
  assert.equal(end.searchParams.get('post_logout_redirect_uri'), 'https://shop.test/bye')
})

test('beside other ways to get in, and tokens of the provider for auth_jwt', async () => {
  const browser = new Browser()
  const basic = { headers: { Authorization: `Basic ${Buffer.from('bob:secret').toString('base64')}` } }
  assert.equal((await browser.get(server.url('/either'), basic)).status, 200)
  assert.equal((await browser.get(server.url('/either'))).status, 302)
  await browser.login(server.url('/'), 'ann')
  assert.equal(await (await browser.get(server.url('/either'))).text(), 'either')
  assert.equal(await (await browser.get(server.url('/code'))).text(), 'code', server.errorLog())
})

test('whatever the method, and by HTTP/2', async () => {
  const browser = new Browser()
  assert.equal((await browser.get(server.url('/'), { method: 'POST', body: 'x'.repeat(100_000) })).status, 302)
  assert.equal((await browser.get(server.url('/'), { method: 'HEAD' })).status, 302)
  await browser.login(server.url('/'), 'ann')
  const cookie = `NGX_OIDC_SESSION=${browser.cookie(server.url('/'), 'NGX_OIDC_SESSION')}`
  const session = http2.connect(server.url('/'))
  const one = async (headers: http2.OutgoingHttpHeaders): Promise<string> => {
    const stream = session.request({ ':path': '/', ...headers })
    stream.on('response', (got) => {
      status = got[':status']!
    })
    let status = 0
    let text = ''
    for await (const piece of stream.setEncoding('latin1')) text += piece
    return status === 200 ? text : String(status)
  }
  const answers = await Promise.all([one({ cookie }), one({}), one({ cookie }), one({ cookie: 'NGX_OIDC_SESSION=x' })])
  assert.deepEqual(answers, ['page of ann', '302', 'page of ann', '302'])
  session.close()
})

test('a provider that is not there, or another one', async () => {
  assert.equal((await new Browser().get(server.url('/lost'))).status, 502)
  assert.equal((await new Browser().get(server.url('/wrong'))).status, 502)
  await server.logged(/nobody can log in: the provider's configuration: /)
  await server.logged(/it is for the issuer "http/)
})

test('sessions outlive a reload', async () => {
  const browser = new Browser()
  await browser.login(server.url('/'), 'ann')
  await server.reload()
  assert.equal(await (await browser.get(server.url('/'))).text(), 'page of ann')
  assert.doesNotMatch(server.errorLog(), /a secret/)
})

test('a provider by TLS: whom we trust, and whom not', async (t) => {
  const certificates = new Certificates()
  t.after(() => certificates.remove())
  const authority = certificates.make('authority', { authority: true })
  const pair = certificates.make('localhost', { issuer: authority, names: ['localhost'] })
  const [port] = await freePorts(1)
  const client = { client_id: 'x', client_secret: 'y', redirect_uris: ['https://localhost/unused'] }
  await using provider = await startOidc(port!, [client], {}, pair)
  const block = (name: string, more: string): string =>
    `oidc_provider ${name} { issuer ${provider.issuer}; client_id x; client_secret y; redirect_uri /${name}; ${more} }`
  await using trusting = await startViaduct(`
    http {
      ${block('one', `ssl_trusted_certificate ${authority.certFile};`)}
      ${block('two', '')}
      server {
        listen 127.0.0.1:%%PORT_0%%;
        location /trusted { auth_oidc one; root %%DIR%%; }
        location /unknown { auth_oidc two; root %%DIR%%; }
      }
    }`)
  const answer = await new Browser().get(trusting.url('/trusted'))
  assert.equal(answer.status, 302, trusting.errorLog())
  assert.ok(answer.headers.get('location')!.startsWith(provider.issuer))
  assert.equal((await new Browser().get(trusting.url('/unknown'))).status, 502)
  await trusting.logged(/nobody can log in: the provider's configuration: .*certificate/)
})
