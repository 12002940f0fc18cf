/** What becomes of the request's URI on its way to the back end: every rule of `proxy_pass`. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { Peer } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

/** A location, what is asked, and what the back end is asked for; PASS is `http://` and the back end's address. */
const CASES: readonly (readonly [string, string, string])[] = [
  // Without a URI the request's own goes on, unchanged.
  ['location /plain/ { proxy_pass PASS; }', '/plain/a%20b/%2e?x=1&y=%zz', '/plain/a%20b/%2e?x=1&y=%zz'],
  ['location /dots/ { proxy_pass PASS; }', '/dots/a/../b//c', '/dots/a/../b//c'],
  ['location /abs/ { proxy_pass PASS; }', 'http://other/abs/x?y', '/abs/x?y'],
  ['location = /exact { proxy_pass PASS; }', '/exact?', '/exact?'],
  ['location ~ ^/re/ { proxy_pass PASS; }', '/re/%41', '/re/%41'],
  // With a URI the matched part is replaced, and what is left is escaped anew.
  ['location /from/ { proxy_pass PASS/to/; }', '/from/x/y?q=1', '/to/x/y?q=1'],
  ['location /cut/ { proxy_pass PASS/; }', '/cut/x', '/x'],
  ['location /glue/ { proxy_pass PASS/to; }', '/glue/x', '/tox'],
  ['location /esc/ { proxy_pass PASS/; }', '/esc/a%20b%23%3f', '/a%20b%23%3F'],
  ['location /norm/ { proxy_pass PASS/n/; }', '/norm/a/../b//c', '/n/b/c'],
  ['location = /one { proxy_pass PASS/other; }', '/one?a=b', '/other?a=b'],
  ['location /query/ { proxy_pass PASS/fixed?k=v; }', '/query/x?q=1', '/fixed?k=vx?q=1'],
  // Nested locations and conditions.
  ['location /nest/ { location /nest/in/ { proxy_pass PASS/in/; } }', '/nest/in/x', '/in/x'],
  ['location /lim/ { limit_except POST { proxy_pass PASS; } proxy_pass PASS/post/; }', '/lim/x', '/lim/x'],
  // Variables: the text is the whole URI when it has one.
  ['location /var/ { proxy_pass PASS$request_uri; }', '/var/a%20b?c', '/var/a%20b?c'],
  ['location /varuri/ { set $u /set; proxy_pass PASS$u; }', '/varuri/x?y=1', '/set'],
  ['location /varargs/ { proxy_pass PASS/set$is_args$args; }', '/varargs/x?y=1', '/set?y=1'],
  ['location ~ ^/cap/(.*)$ { proxy_pass PASS/got/$1; }', '/cap/x', '/got/x'],
  ['location /varno/ { set $b PASSADDR; proxy_pass http://$b; }', '/varno/%41?q', '/varno/%41?q'],
  // A rewrite replaces the URI, and then the one of proxy_pass has no effect.
  ['location /rw/ { rewrite ^/rw/(.*)$ /new/$1 break; proxy_pass PASS; }', '/rw/a%20b?q=1', '/new/a%20b?q=1'],
  ['location /rwu/ { rewrite ^/rwu/(.*)$ /new/$1 break; proxy_pass PASS/ignored/; }', '/rwu/x', '/new/x'],
  ['location /rwq/ { rewrite ^ /new?a=b? break; proxy_pass PASS; }', '/rwq/x?q=1', '/new?a=b'],
]

test('the URI that the back end gets', async (t) => {
  await using peer = await Peer.start()
  const address = `127.0.0.1:${peer.port}`
  const locations = CASES.map(([location]) =>
    location.replaceAll('PASSADDR', address).replaceAll('PASS', `http://${address}`),
  )
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;\n${locations.join('\n')}\n} }`)
  for (const [location, asked, expected] of CASES) {
    await t.test(`${location}: ${asked}`, async () => {
      const count = peer.requests.length
      await server.raw(`GET ${asked} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      assert.equal(peer.requests.length, count + 1)
      assert.equal(peer.requests.at(-1)!.line, `GET ${expected} HTTP/1.1`)
    })
  }
})

test('a back end behind a unix socket', async (t) => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location /own/ { proxy_pass http://unix:%%DIR%%/peer.sock; }
    location /uri/ { proxy_pass http://unix:%%DIR%%/peer.sock:/to/; } } }`)
  await using peer = await Peer.start(undefined, { path: path.join(server.dir, 'peer.sock'), writableAll: true })
  await fetch(server.url('/own/x'))
  await fetch(server.url('/uri/x'))
  assert.deepEqual(
    peer.requests.map(({ line }) => line),
    ['GET /own/x HTTP/1.1', 'GET /to/x HTTP/1.1'],
  )
  await t.test('is called localhost', () => assert.equal(peer.requests[0]!.field('host'), 'localhost'))
})
