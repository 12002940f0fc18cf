/** Responses of the back end that are replaced: `proxy_intercept_errors`, `error_page` fallbacks, `X-Accel-*`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const RESPONSES: Readonly<Record<string, string>> = {
  '/404': reply('theirs', [], '404 Not Found'),
  '/401': reply('theirs', ['WWW-Authenticate: Basic realm="theirs"'], '401 Unauthorized'),
  '/dated': reply('theirs', ['Last-Modified: Sat, 03 Feb 2024 04:05:06 GMT'], '404 Not Found'),
  '/500': reply('theirs', [], '500 Bad'),
  '/accel': reply('theirs', [
    'X-Accel-Redirect: /internal/file.txt?a=b',
    'Content-Type: text/x-mine',
    'Set-Cookie: a=b',
  ]),
  '/accel-text': reply('theirs', ['X-Accel-Redirect: /text.html', 'Content-Type: text/x-mine']),
  '/accel-fields': reply('theirs', [
    'X-Accel-Redirect: /internal/file.txt',
    'X-Accel-Charset: koi8-r',
    'Accept-Ranges: none',
  ]),
  '/accel-empty': reply('theirs', ['X-Accel-Redirect:']),
  '/accel-named': reply('theirs', ['X-Accel-Redirect: @named']),
  '/accel-bad': reply('theirs', ['X-Accel-Redirect: /internal/../../etc/passwd']),
  '/accel-hide': reply('ok', ['X-Accel-Buffering: no', 'X-Accel-Charset: x', 'X-Accel-Expires: 0', 'X-Pad: x']),
  '/second': reply('second'),
}

const startPeer = () => Peer.start(({ line }) => RESPONSES[line.split(' ')[1]!] ?? reply('ok'))

async function ask(server: Server, target: string): Promise<{ status: number; head: string; body: string }> {
  const answer = await server.raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  const at = answer.indexOf('\r\n\r\n')
  return { status: Number(answer.slice(9, 12)), head: answer.slice(0, at + 2), body: answer.slice(at + 4) }
}

test('error pages for what the back end says', async (t) => {
  await using peer = await startPeer()
  const back = `http://127.0.0.1:${peer.port}`
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    error_page 404 = /page; error_page 401 /page; error_page 500 502 = @fallback;
    location / { proxy_pass ${back}/; }
    location /on/ { proxy_pass ${back}/; proxy_intercept_errors on; }
    location /dead/ { proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /page { return 200 "page"; }
    location @fallback { proxy_pass ${back}; rewrite ^ /second break; } } }`)
  await t.test('are not used by default', async () => {
    const { status, body } = await ask(server, '/404')
    assert.deepEqual([status, body], [404, 'theirs'])
  })
  await t.test('an error of the back end keeps its date', async () => {
    const { status, head } = await ask(server, '/dated')
    assert.equal(status, 404)
    assert.match(head, /\r\nLast-Modified: Sat, 03 Feb 2024 04:05:06 GMT\r\n/)
  })
  await t.test('proxy_intercept_errors uses them', async () => {
    const { status, body } = await ask(server, '/on/404')
    assert.deepEqual([status, body], [200, 'page'])
  })
  await t.test('WWW-Authenticate stays with a 401', async () => {
    const { status, head } = await ask(server, '/on/401')
    assert.equal(status, 401)
    assert.match(head, /WWW-Authenticate: Basic realm="theirs"\r\n/)
  })
  await t.test('a named location asks another back end', async () => {
    const { status, body } = await ask(server, '/on/500')
    assert.deepEqual([status, body], [200, 'second'])
  })
  await t.test('a back end that is not there needs no interception', async () => {
    const { status, body } = await ask(server, '/dead/x')
    assert.deepEqual([status, body], [200, 'second'])
  })
})

test('X-Accel-Redirect', async (t) => {
  await using peer = await startPeer()
  const back = `http://127.0.0.1:${peer.port}`
  await using server = await startViaduct(
    `http { charset_map koi8-r utf-8 { C1 D0B0; } server { listen 127.0.0.1:%%PORT_0%%; types { text/plain txt; }
      location / { proxy_pass ${back}; }
      location /ignored/ { proxy_pass ${back}/; proxy_ignore_headers X-Accel-Redirect; proxy_pass_header X-Accel-Redirect; }
      location /internal/ { internal; root %%DIR%%; add_header X-Args $args; }
      location = /text.html { internal; return 200 text; }
      location @named { return 200 "named $uri"; } } }`,
    { files: { 'internal/file.txt': 'the file' } },
  )
  await t.test('is answered from here, with the type and cookies of the back end', async () => {
    const { head, body } = await ask(server, '/accel')
    assert.equal(body, 'the file')
    assert.match(head, /Content-Type: text\/x-mine\r\n/)
    assert.match(head, /Set-Cookie: a=b\r\n/)
    assert.match(head, /X-Args: a=b\r\n/)
    assert.doesNotMatch(head, /X-Accel/)
  })
  await t.test('to a named location', async () =>
    assert.equal((await ask(server, '/accel-named')).body, 'named /accel-named'),
  )
  await t.test('to a text of the configuration, which is of the type of the back end', async () => {
    const { head, body } = await ask(server, '/accel-text')
    assert.equal(body, 'text')
    assert.match(head, /Content-Type: text\/x-mine\r\n/)
  })
  await t.test('in the character set that the back end names', async () => {
    const { head } = await ask(server, '/accel-fields')
    assert.match(head, /Content-Type: text\/plain; charset=koi8-r\r\n/)
  })
  await t.test('which has no ranges when it has not changed', async () => {
    const lines = ['GET /accel-fields HTTP/1.1', 'Host: x', 'If-None-Match: *', 'Connection: close']
    const answer = await server.raw(`${lines.join('\r\n')}\r\n\r\n`)
    assert.match(answer, /^HTTP\/1.1 304 /)
    assert.doesNotMatch(answer, /Accept-Ranges/)
  })
  await t.test('out of the root, or to nothing, is refused', async () => {
    assert.equal((await ask(server, '/accel-bad')).status, 404)
    assert.equal((await ask(server, '/accel-empty')).status, 404)
  })
  await t.test('ignored and passed on', async () => {
    const { head, body } = await ask(server, '/ignored/accel')
    assert.equal(body, 'theirs')
    assert.match(head, /X-Accel-Redirect: \/internal\/file.txt\?a=b\r\n/)
  })
  await t.test('what internal locations are for cannot be asked for', async () => {
    assert.equal((await ask(server, '/internal/file.txt')).status, 404)
  })
})

test('hidden and passed fields', async (t) => {
  const fields = [
    'Date: Thu, 01 Jan 1970 00:00:00 GMT',
    'Server: theirs',
    'X-Accel-Expires: 0',
    'X-Pad: p',
    'X-A: 1',
    'X-A: 2',
  ]
  await using peer = await Peer.start(() => reply('ok', fields))
  const pass = `proxy_pass http://127.0.0.1:${peer.port};`
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { ${pass} }
    location /hide { ${pass} proxy_hide_header x-a; }
    location /pass { ${pass} proxy_pass_header Server; proxy_pass_header Date; proxy_pass_header X-Pad; } } }`)
  await t.test('by default', async () => {
    const { head } = await ask(server, '/')
    assert.match(head, /Server: viaduct/)
    assert.doesNotMatch(head, /1970|X-Accel|X-Pad|theirs/)
    assert.match(head, /X-A: 1\r\nX-A: 2\r\n/)
  })
  await t.test('proxy_hide_header', async () => assert.doesNotMatch((await ask(server, '/hide')).head, /X-A:/))
  await t.test('proxy_pass_header', async () => {
    const { head } = await ask(server, '/pass')
    assert.match(head, /Server: theirs\r\n/)
    assert.match(head, /Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n/)
    assert.match(head, /X-Pad: p\r\n/)
    assert.equal(head.match(/^(Server|Date):/gm)!.length, 2)
  })
})

test('proxy_redirect', async (t) => {
  await using peer = await Peer.start(({ line }) => {
    const to = new URLSearchParams(line.split(' ')[1]!.split('?')[1])
    return reply(
      '',
      [...to].map(([name, value]) => `${name}: ${value}`),
      '302 Found',
    )
  })
  const back = `http://127.0.0.1:${peer.port}`
  const pass = `proxy_pass ${back}/to/;`
  await using server =
    await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; server_name me; port_in_redirect off;
    location /default/ { ${pass} }
    location /off/ { ${pass} proxy_redirect off; }
    location /own/ { ${pass} proxy_redirect http://inner/ /outer/; proxy_redirect ~^http://x(\\d)/(.*)$ /x$1/$2; }
    location /case/ { ${pass} proxy_redirect ~*^HTTP://UP/ /up/; }
    location /var/ { ${pass} proxy_redirect http://inner/ http://$host/$server_port/; } } }`)
  const location = async (target: string) => /Location: (.*)\r\n/.exec((await ask(server, target)).head)?.[1]
  const cases: readonly (readonly [string, string])[] = [
    [`/default/?Location=${back}/to/x`, 'http://x/default/x'],
    [`/default/?Location=${back}/other/x`, `${back}/other/x`],
    ['/default/?Location=/relative', '/relative'],
    [`/off/?Location=${back}/to/x`, `${back}/to/x`],
    ['/own/?Location=http://inner/a', 'http://x/outer/a'],
    ['/own/?Location=http://x7/a/b', 'http://x/x7/a/b'],
    ['/case/?Location=http://up/a', 'http://x/up/'],
    ['/var/?Location=http://inner/a', `http://x/${server.port()}/a`],
  ]
  for (const [target, expected] of cases) {
    await t.test(target, async () => assert.equal(await location(target), expected))
  }
  await t.test('Refresh', async () => {
    const { head } = await ask(server, `/default/?Refresh=5;%20url=${back}/to/x`)
    assert.match(head, /Refresh: 5; url=\/default\/x\r\n/)
  })
})
