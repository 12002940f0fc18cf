/** health_check where requests go to FastCGI, uwsgi and SCGI: servers are asked in their own words. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CgiPeer } from '../harness/cgi-peer.ts'
import { answer, FastcgiPeer } from '../harness/fastcgi-peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

type Params = ReadonlyMap<string, string>
type Way = 'fastcgi' | 'uwsgi' | 'scgi'

/** An application of that kind, answering with the text of a CGI program. */
async function application(way: Way, cgi: (params: Params) => string): Promise<AsyncDisposable & { port: number }> {
  if (way === 'fastcgi') return FastcgiPeer.start(({ params }) => answer(cgi(params)))
  return CgiPeer[way](({ params }) => cgi(params))
}

const status = async (server: Server): Promise<number> => (await fetch(server.url('/'))).status

for (const way of ['fastcgi', 'uwsgi', 'scgi'] as const) {
  test(`${way}: a server that is not well gets no requests until it is`, async () => {
    let well = true
    const checks: Params[] = []
    await using app = await application(way, (params) => {
      if (params.get('DOCUMENT_URI') !== '/health') return '\r\nok'
      checks.push(params)
      return `Status: ${well ? 200 : 500}\r\nX-Load: low\r\n\r\n${well ? 'fine' : 'ill'}`
    })
    await using server = await startViaduct(`http {
      upstream u { zone u 64k; server 127.0.0.1:${app.port}; }
      match fine { status 200; header X-Load = low; body ~ "^fine$"; }
      server { listen 127.0.0.1:%%PORT_0%%;
        location / { ${way}_pass u; include ${way}_params; ${way}_param DOCUMENT_URI $uri;
          health_check interval=20ms uri=/health?deep=1 match=fine mandatory; } } }`)
    await server.until('the server is in', async () => (await status(server)) === 200)
    well = false
    await server.until('the server is out', async () => (await status(server)) === 502)
    well = true
    await server.until('the server is back', async () => (await status(server)) === 200)
    const [first] = checks
    assert.deepEqual([first!.get('REQUEST_METHOD'), first!.get('QUERY_STRING')], ['GET', 'deep=1'])
  })
}

for (const way of ['uwsgi', 'scgi'] as const) {
  test(`${way}: an interim answer is followed by the one that counts`, async () => {
    let last = '200 OK'
    await using app = await CgiPeer[way](({ params, socket }) => {
      if (params.get('DOCUMENT_URI') !== '/health') return '\r\nok'
      // In two pieces, the second of which ends the first head and begins the last.
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r')
      setImmediate(() => socket.end(`\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 ${last}\r\nX: y\r\n\r\nfine`))
      return undefined
    })
    await using server = await startViaduct(`http {
      upstream u { zone u 64k; server 127.0.0.1:${app.port}; }
      match fine { status 200; header ! Link; body ~ "^fine$"; }
      server { listen 127.0.0.1:%%PORT_0%%;
        location / { ${way}_pass u; include ${way}_params; ${way}_param DOCUMENT_URI $uri;
          health_check interval=20ms uri=/health match=fine mandatory; } } }`)
    await server.until('the server is in', async () => (await status(server)) === 200)
    last = '503 Busy'
    await server.until('the server is out', async () => (await status(server)) === 502)
  })
}

test('an application that answers something else is not well', async () => {
  await using app = await FastcgiPeer.start(() => 'HTTP/1.1 200 OK\r\n\r\n')
  await using server = await startViaduct(`http { upstream u { zone u 64k; server 127.0.0.1:${app.port}; }
    server { listen 127.0.0.1:%%PORT_0%%; location / { fastcgi_pass u; health_check interval=20ms; } } }`)
  await server.logged(
    /upstream sent unsupported FastCGI protocol version: 72 while reading response header from upstream/,
  )
})
