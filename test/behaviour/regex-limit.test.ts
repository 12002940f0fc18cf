/** A pattern that would hold a worker is given up: the request ends with 500, whatever the pattern was to decide. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const LONG = `${'a'.repeat(40)}!`
/** Each needs 2 to the power of the length, with and without what keeps it from V8's linear engine. */
const EVIL = '^(?!x)(a+)+$'

test('where patterns decide', async (t) => {
  await using peer = await Peer.start(() => reply('back', [`Location: http://${LONG}/`]))
  await using server = await startViaduct(
    `http {
      map $arg_m $mapped { default public; "~${EVIL}" secret; }
      server { listen 127.0.0.1:%%PORT_0%%;
        location ~ "^/open/(?!x)(a+)+$" { return 200 location; }
        location ~ "^/count/(?:(a{1,50}){1,50})$" { return 200 count; }
        location /open/ { return 200 prefix; }
        location /rewrite/ { rewrite "^/rewrite/(?!x)(a+)+$" /ok last; return 200 after; }
        location /if/ { if ($arg_x ~ "${EVIL}") { return 200 inside; } return 200 after; }
        location /not/ { if ($arg_x !~ "${EVIL}") { return 200 inside; } return 200 after; }
        location /set/ { set $a $mapped; return 200 $a; }
        location /referer/ { valid_referers "~^(?!x)(a+)+$"; if ($invalid_referer) { return 403; } return 200 valid; }
        location /redirect/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_redirect "~^http://(?!x)(a+)+$" /; }
        location /ok { return 200 ok; } }
      server { listen 127.0.0.1:%%PORT_0%%; server_name "~^(?!x)(a+)+$"; return 200 named; } }`,
    { alerts: true },
  )
  const ask = (target: string, fields = 'Host: h\r\n'): Promise<string> =>
    server.raw(`GET ${target} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`)
  const cases: Record<string, readonly [target: string, fields?: string]> = {
    location: [`/open/${LONG}`],
    'a counted repetition': [`/count/${LONG}`],
    rewrite: [`/rewrite/${LONG}`],
    if: [`/if/?x=${LONG}`],
    'if, negated': [`/not/?x=${LONG}`],
    map: [`/set/?m=${LONG}`],
    valid_referers: ['/referer/', `Host: h\r\nReferer: http://${LONG}\r\n`],
    server_name: ['/ok', `Host: ${LONG}\r\n`],
  }
  for (const [name, [target, fields]] of Object.entries(cases)) {
    await t.test(name, async () => {
      assert.match(await ask(target, fields), /^HTTP\/1\.1 500 /)
    })
  }
  await t.test('the log says so', () => {
    const lines = server.errorLog().match(/\[alert\] .* pcre2_match\(\) failed: -47 on ".*a!" using ".*", client: /g)
    assert.equal(lines?.length, Object.keys(cases).length)
  })
  await t.test('what a back end sends stays as it is', async () => {
    assert.match(await ask('/redirect/'), new RegExp(`^HTTP/1.1 200 .*\r\nLocation: http://${LONG}/\r\n.*back$`, 's'))
  })
  await t.test('what can be decided is decided', async () => {
    const decided: Record<string, RegExp> = {
      '/open/aaa': /location$/,
      '/open/xaa': /prefix$/,
      '/count/aaa': /count$/,
      '/rewrite/aaa': /ok$/,
      '/rewrite/aab': /after$/,
      '/if/?x=aa': /inside$/,
      '/not/?x=aa': /after$/,
      '/set/?m=aa': /secret$/,
      '/set/?m=ab': /public$/,
      [`/open/${'a'.repeat(2000)}`]: /location$/,
    }
    for (const [target, wanted] of Object.entries(decided)) assert.match(await ask(target), wanted, target)
    assert.match(await ask('/ok', 'Host: aaa\r\n'), /named$/)
  })
})
