/** A filter that changes a buffer in many places sends one buffer: not a chunk, or a frame, for each place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { DATA } from '../../src/http/h2/wire/frames.ts'
import { H2Client } from '../harness/h2-client.ts'
import { Peer } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const LINES = 2000
const PAGE = '<a href="/old/x">x</a>\n'.repeat(LINES)
const ECHO = '<!--# set var="a" value="b" -->x<!--# echo var="a" -->\n'.repeat(LINES)

/** The body of an answer in chunks, and how many there were. */
async function chunksOf(server: Server, target: string): Promise<{ text: string; count: number }> {
  const answer = await server.raw(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  assert.match(answer, /\r\nTransfer-Encoding: chunked\r\n/)
  let rest = answer.slice(answer.indexOf('\r\n\r\n') + 4)
  let text = ''
  for (let count = 0; ; count++) {
    const end = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.slice(0, end), 16)
    if (size === 0) return { text, count }
    text += rest.slice(end + 2, end + 2 + size)
    rest = rest.slice(end + 4 + size)
  }
}

test('chunks are as many as buffers', async (t) => {
  const chunked = `${'3\r\nabc\r\n'.repeat(LINES)}0\r\n\r\n`
  await using peer = await Peer.start(
    () => `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
  )
  await using server = await startViaduct(
    `http { types { text/html html; application/gzip gz; }
    charset_map koi8-r utf-8 { C1 D0B0; C2 D0B1; }
    server { listen 127.0.0.1:%%PORT_0%%; http2 on; root %%DIR%%/html;
      location /sub/ { sub_filter_once off; sub_filter /old/ /new/; alias %%DIR%%/html/; }
      location /two/ { sub_filter_once off; sub_filter /old/ /new/; sub_filter href src; ssi on; alias %%DIR%%/html/; }
      location /long/ { sub_filter_once off; sub_filter x $arg_x; alias %%DIR%%/html/; }
      location /ssi/ { ssi on; alias %%DIR%%/html/; }
      location /recoded/ { source_charset koi8-r; charset utf-8; alias %%DIR%%/html/; }
      location /gunzip/ { gunzip on; gzip_static always; alias %%DIR%%/html/; }
      location /back/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_http_version 1.1; }
      location /unbuffered/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_http_version 1.1; proxy_buffering off; }
      location /changed/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_http_version 1.1; proxy_buffering off;
        sub_filter_once off; sub_filter b '[b]'; } } }`,
    {
      files: {
        'html/page.html': PAGE,
        'html/echo.html': ECHO,
        'html/koi.html': Buffer.from('\xc1\xc2x'.repeat(LINES), 'latin1'),
        'html/packed.html.gz': gzipSync(PAGE),
      },
    },
  )
  const cases: Record<string, string> = {
    '/sub/page.html': PAGE.replaceAll('/old/', '/new/'),
    '/two/page.html': PAGE.replaceAll('/old/', '/new/').replaceAll('href', 'src'),
    '/ssi/echo.html': 'xb\n'.repeat(LINES),
    '/recoded/koi.html': '\xd0\xb0\xd0\xb1x'.repeat(LINES),
    '/gunzip/packed.html': PAGE,
    '/back/': 'abc'.repeat(LINES),
    '/unbuffered/': 'abc'.repeat(LINES),
    '/changed/': 'a[b]c'.repeat(LINES),
  }
  for (const [target, text] of Object.entries(cases)) {
    await t.test(target, async () => {
      const got = await chunksOf(server, target)
      assert.equal(got.text, text)
      // What comes from a socket may come in several reads.
      assert.ok(got.count <= 12, `${got.count} chunks`)
    })
  }
  await t.test('replacements that are much longer', async () => {
    const long = 'y'.repeat(2000)
    const got = await chunksOf(server, `/long/page.html?x=${long}`)
    assert.ok(got.text === PAGE.replaceAll('x', long))
    assert.ok(got.count <= got.text.length / 60000)
  })
  await t.test('frames of HTTP/2', async () => {
    await using client = await H2Client.connect(server.port())
    client.request(1, { path: '/sub/page.html' })
    assert.equal((await client.response(1)).body, cases['/sub/page.html'])
    assert.ok(client.frames.filter((frame) => frame.type === DATA).length < 15)
  })
})
