/** ngx_http_sub_filter_module: several texts, pieces cut anywhere, slow readers, subrequests. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  default_type text/html;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    sub_filter foo <$arg_to>;
    sub_filter foobar never;
    sub_filter Abc "";
    sub_filter 'aaab' X;
    sub_filter_once off;
    location / { }
    location /once { sub_filter_once on; sub_filter foo 1; sub_filter bar 2; alias %%DIR%%/text; }
    location /dynamic { sub_filter $arg_from to; sub_filter $arg_none never; alias %%DIR%%/text; }
    location /dated { sub_filter_last_modified on; alias %%DIR%%/text; }
    location /plain { default_type text/plain; alias %%DIR%%/text; }
    location /types { sub_filter_types text/plain; default_type text/plain; alias %%DIR%%/text; }
    location /page { ssi on; sub_filter foo main; sub_filter_types *; alias %%DIR%%/page; }
    location /piecewise { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_buffering off; }
    location /large { sub_filter x yy; alias %%DIR%%/large; }
  }
}`

const TEXT = 'foo FOO fooBar barfo aaaaab abC aABc fo'
const LARGE = 'x'.repeat(1_000_000)

let server: Server
let backEnd: http.Server
before(async () => {
  server = await startViaduct(CONF, {
    files: { text: TEXT, page: 'foo <!--#include virtual="/text?to=sub" --> foo', large: LARGE, empty: '' },
  })
  backEnd = http.createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html')
    let at = 0
    const next = () => {
      if (at === TEXT.length) response.end()
      else response.write(TEXT[at++]!, () => setImmediate(next))
    }
    next()
  })
  await new Promise<void>((resolve) => backEnd.listen(server.port(1), '127.0.0.1', resolve))
})
after(async () => {
  backEnd.closeAllConnections()
  backEnd.close()
  await server[Symbol.asyncDispose]()
})

const ANSWERS: Readonly<Record<string, string>> = {
  '/text?to=z': '<z> <z> <z>Bar barfo aaX  a fo',
  '/piecewise?to=z': '<z> <z> <z>Bar barfo aaX  a fo',
  '/once': '1 FOO foo2 barfo aaaaab abC aABc fo',
  '/dynamic?from=Bar': 'foo FOO footo tofo aaaaab abC aABc fo',
  '/dynamic': TEXT,
  '/plain': TEXT,
  '/types?to=z': '<z> <z> <z>Bar barfo aaX  a fo',
  '/page': 'main <sub> <sub> <sub>Bar barfo aaX  a fo main',
  '/empty': '',
}

for (const [target, expected] of Object.entries(ANSWERS)) {
  test(target, async () => {
    assert.equal(await (await fetch(server.url(target))).text(), expected)
  })
}

test('length and dates are not told', async () => {
  const { headers } = await fetch(server.url('/text'))
  for (const name of ['content-length', 'last-modified', 'etag', 'accept-ranges']) assert.equal(headers.get(name), null)
  assert.match((await fetch(server.url('/dated'))).headers.get('etag') ?? '', /^W\//)
})

test('a body that becomes larger than what the client takes at once', async () => {
  const text = await (await fetch(server.url('/large'))).text()
  assert.ok(text === 'y'.repeat(2 * LARGE.length), `${text.length} bytes`)
})
