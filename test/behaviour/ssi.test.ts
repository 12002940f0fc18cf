/** ngx_http_ssi_filter_module: commands, order, waiting, errors; pages cut anywhere. */
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
    ssi on;
    set $own "of the <server>";
    location / { }
    location /quiet/ { ssi_silent_errors on; alias %%DIR%%/; }
    location /dated/ { ssi_last_modified on; alias %%DIR%%/; }
    location /piecewise/ { proxy_buffering off; proxy_pass http://127.0.0.1:%%PORT_1%%/; }
    location /slow { ssi off; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /fail { return 404; }
    location /cut { ssi off; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /named { ssi off; error_page 404 = @other; return 404; }
    location @other { return 200 "other $uri $request_method"; }
    location /sets { ssi off; set $own new; return 200 ""; }
    location /plain { ssi off; return 200 "$uri?$args"; }
    location /types { ssi_types text/plain; default_type text/plain; alias %%DIR%%/echo; }
  }
}`

const FILES: Record<string, string> = {
  echo: '[<!--#echo var="own" -->][<!--#echo var="own" encoding="none" -->][<!--#echo var="own" -->][<!--#echo var="no" -->][<!--#echo var="no" default="d" -->]',
  set: '<!--#set var="a" value="x$own\\$" --><!--#echo var="A" encoding="url" -->',
  cond: '<!--#set var="v" value="Ab1" --><!--#if expr="$v" -->1<!--#else -->0<!--#endif --><!--#if expr="$v = x" -->2<!--#elif expr="$v != /B/" -->3<!--#else -->4<!--#endif --><!--#if expr="$v = /(b)(?P<num>\\d)/" --><!--#echo var="1" --><!--#echo var="num" --><!--#endif -->.',
  include: '1<!--#include virtual="/plain?a=b" -->2<!--#include virtual="plain" -->3',
  nested: '(<!--#include virtual="/include" -->)(<!--#include virtual="/echo" -->)',
  waits: '<!--#include virtual="/slow" wait="yes" -->,<!--#include virtual="/plain" set="p" -->,<!--#echo var="p" -->.',
  parallel: '<!--#include virtual="/slow?1" -->,<!--#include virtual="/slow?2" -->,<!--#include virtual="/slow?3" -->.',
  pair: '<!--#include virtual="/slow?1" -->,<!--#include virtual="/slow?2" -->.',
  stub: '<!--#block name="one" -->in <!--#echo var="own" --> stead<!--#endblock -->[<!--#include virtual="/fail" stub="one" -->][<!--#include virtual="/empty" stub="one" -->][<!--#include virtual="/plain" stub="one" -->]',
  missing: '[<!--#include virtual="/fail" -->]',
  cycle: '<!--#include virtual="/cycle" -->.',
  wrong:
    'a<!--#bad -->b<!--#echo -->c<!--#echo var=x -->d<!--#config errmsg="oops" --><!--#include virtual="/../x" -->e',
  breaks: 'a<!--#include virtual="/cut" -->b<!--#include virtual="/named" -->c',
  common: '<!--#include virtual="/sets" wait="yes" --><!--#echo var="own" -->',
  config: '<!--#config timefmt="%Y" --><!--#echo var="date_gmt" -->',
  empty: '',
  text: 'a <!- b <!-- c <!--- <<!--#echo var="own" --> <!--',
}

let server: Server
let backEnd: http.Server
const asked: string[] = []
let onAsked: ((response: http.ServerResponse) => void) | undefined

before(async () => {
  server = await startViaduct(CONF, { files: FILES })
  backEnd = http.createServer((request, response) => {
    const target = request.url ?? ''
    asked.push(target)
    onAsked?.(response)
    if (target.startsWith('/slow')) {
      // The answers come in the opposite order, when all have been asked for.
      const all = target.includes('?') ? 3 : 1
      const answer = () => response.end(target)
      if (all === 1) answer()
      else {
        waiting.push(answer)
        if (waiting.length === 3) for (const go of waiting.splice(0).reverse()) go()
      }
    } else if (target === '/cut') {
      response.writeHead(200, { 'Content-Length': 100 })
      response.write('CUT', () => request.socket.end())
    } else {
      response.setHeader('Content-Type', 'text/html')
      const text = FILES[target.slice(1)] ?? ''
      // One byte at a time, each in a packet of its own as far as possible.
      let at = 0
      const next = () => {
        if (at === text.length) response.end()
        else response.write(text[at++]!, () => setImmediate(next))
      }
      next()
    }
  })
  await new Promise<void>((resolve) => backEnd.listen(server.port(1), '127.0.0.1', resolve))
})
const waiting: (() => void)[] = []
after(async () => {
  backEnd.closeAllConnections()
  backEnd.close()
  await server[Symbol.asyncDispose]()
})

const PAGES: Readonly<Record<string, string>> = {
  echo: '[of the &lt;server&gt;][of the <server>][of the <server>][(none)][d]',
  set: 'xof%20the%20%3Cserver%3E$',
  cond: '13b1.',
  include: '1/plain?a=b2/plain?3',
  nested: '(1/plain?a=b2/plain?3)([of the &lt;server&gt;][of the <server>][of the <server>][(none)][d])',
  waits: '/slow,,/plain?.',
  parallel: '/slow?1,/slow?2,/slow?3.',
  stub: '[in <!--#echo var="own" --> stead][in <!--#echo var="own" --> stead][/plain?]',
  wrong:
    'a[an error occurred while processing the directive]b[an error occurred while processing the directive]c[an error occurred while processing the directive]doopse',
  breaks: 'aCUTbother /named GETc',
  common: 'new',
  config: String(new Date().getUTCFullYear()),
  text: 'a <!- b <!-- c <!--- <of the &lt;server&gt; <!--',
}

for (const [name, expected] of Object.entries(PAGES)) {
  test(`page: ${name}`, async () => {
    const text = await (await fetch(server.url(`/${name}`))).text()
    assert.equal(name === 'stub' ? withoutEcho(text) : text, name === 'stub' ? withoutEcho(expected) : expected)
  })
  test(`page that comes byte by byte: ${name}`, async () => {
    // Relative names lead elsewhere there, and what a page includes is asked for as it comes.
    if (name === 'include' || name === 'nested' || name === 'parallel') return
    const text = await (await fetch(server.url(`/piecewise/${name}`))).text()
    assert.equal(name === 'stub' ? withoutEcho(text) : text, name === 'stub' ? withoutEcho(expected) : expected)
  })
}

/** What stands in is worked on itself where the location of the include says so. */
function withoutEcho(text: string): string {
  return text.replaceAll('<!--#echo var="own" -->', '').replaceAll('of the &lt;server&gt;', '')
}

test('the page of an error takes the place of what is missing', async () => {
  const text = await (await fetch(server.url('/missing'))).text()
  assert.match(text, /^\[<html>.*404 Not Found.*<\/html>\r\n\]$/s)
})

test('a page that includes itself comes to an end', async () => {
  const text = await (await fetch(server.url('/cycle'))).text()
  assert.equal(text, `[an error occurred while processing the directive]${'.'.repeat(52)}`)
  await server.logged(/subrequests cycle while processing "\/cycle", client: .*subrequest: "\/cycle"/)
})

test('silent errors', async () => {
  assert.equal(await (await fetch(server.url('/quiet/wrong'))).text(), 'abcde')
})

test('what is wrong is logged', async () => {
  await (await fetch(server.url('/wrong'))).text()
  await server.logged(/invalid SSI command: "bad"/)
  await server.logged(/mandatory "var" parameter is absent in "echo" SSI command/)
  await server.logged(/unexpected "x" symbol before value of "var" parameter in "echo" SSI command/)
  await server.logged(/unsafe URI "\/\.\.\/x" was detected/)
})

test('length, ranges and dates of a page are not told', async () => {
  const { headers } = await fetch(server.url('/echo'))
  for (const name of ['content-length', 'last-modified', 'etag', 'accept-ranges']) assert.equal(headers.get(name), null)
  const dated = await fetch(server.url('/dated/echo'))
  assert.notEqual(dated.headers.get('last-modified'), null)
  assert.match(dated.headers.get('etag') ?? '', /^W\//)
})

test('other media types', async () => {
  assert.match(await (await fetch(server.url('/types'))).text(), /^\[of the/)
})

test('a client that leaves in the middle leaves nothing behind', async () => {
  let left = 0
  const count = () => left++
  const before = asked.length
  onAsked = (response) => response.once('close', count)
  const client = await server.connect()
  client.write('GET /pair HTTP/1.1\r\nHost: x\r\n\r\n')
  await server.until('both includes', () => asked.length === before + 2)
  client.close()
  await server.until('both back ends are left', () => left === 2)
  onAsked = undefined
  waiting.length = 0
})
