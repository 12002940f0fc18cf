/** subs_filter: fixed texts and patterns, flags, rules one after the other, lines that come in pieces. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

async function filtered(rules: string, body: string, type = 'text/html', target = '/'): Promise<string> {
  await using peer = await Peer.start(() => reply(body, [`Content-Type: ${type}`]))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${peer.port}; ${rules} } } }`)
  return (await fetch(server.url(target))).text()
}

test('texts, with and without regard to case, once and always', async () => {
  const body = 'a.test A.test a.test\nb b\n'
  assert.equal(await filtered('subs_filter a.test z;', body), 'z A.test z\nb b\n')
  assert.equal(await filtered('subs_filter A.test z gi;', body), 'z z z\nb b\n')
  assert.equal(await filtered('subs_filter b $uri o;', body, 'text/html', '/u'), 'a.test A.test a.test\n/u b\n')
})

test('patterns with captures, line by line', async () => {
  const body = 'img1.test img22.test\nlast IMG3.test'
  assert.equal(
    await filtered('subs_filter "img(\\d+)\\.test" "cdn$1.test" ir;', body),
    'cdn1.test cdn22.test\nlast cdn3.test',
  )
  assert.equal(await filtered('subs_filter "(?<n>\\d+)" "<$n>" r;', 'a1b22\n'), 'a<1>b<22>\n')
  // Nothing is found again where an empty match was.
  assert.equal(await filtered('subs_filter "x*" "-" r;', 'a\n'), '-a-\n')
})

test('each rule works on what those before it made', async () => {
  assert.equal(await filtered('subs_filter a b; subs_filter b c; subs_filter c+ "" r;', 'abc d\n'), ' d\n')
})

test('types and bypass', async () => {
  assert.equal(await filtered('subs_filter a b;', 'aaa', 'text/plain'), 'aaa')
  assert.equal(await filtered('subs_filter a b; subs_filter_types text/plain;', 'aaa', 'text/plain'), 'bbb')
  assert.equal(await filtered('subs_filter a b; subs_filter_bypass $arg_raw;', 'aaa', 'text/html', '/?raw=1'), 'aaa')
})

test('a line is one however it is cut', async () => {
  const body = `${'x'.repeat(70_000)}needle${'y'.repeat(70_000)}needle\nneedle`
  const expected = body.replaceAll('needle', 'pin')
  assert.equal(await filtered('proxy_buffering off; subs_filter needle pin;', body), expected)
})
