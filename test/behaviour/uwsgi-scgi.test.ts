/** uwsgi_pass and scgi_pass: what applications are told, and what becomes of their answers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { CgiPeer, type CgiRequest } from '../harness/cgi-peer.ts'
import { startViaduct } from '../harness/server.ts'

type Way = 'uwsgi' | 'scgi'

const conf = (way: Way, port: number, location = '') => `http { server { listen 127.0.0.1:%%PORT_0%%;
  location / { ${way}_pass 127.0.0.1:${port}; include ${way}_params; ${location} } } }`

const OK = 'Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nok'

for (const way of ['uwsgi', 'scgi'] as const) {
  const start = (answer: (request: CgiRequest) => string | undefined) => CgiPeer[way](answer)

  test(`${way}: parameters, fields and a body reach the application`, async () => {
    await using peer = await start(() => OK)
    await using server = await startViaduct(
      conf(way, peer.port, `${way}_param HTTP_X_SET ""; ${way}_param A $arg_a if_not_empty;`),
    )
    const body = 'x'.repeat(300_000)
    const response = await fetch(server.url('/p?q=1'), {
      method: 'POST',
      body,
      headers: { 'X-Set': 'a', 'X-Mine': 'b' },
    })
    assert.equal(await response.text(), 'ok')
    const [{ params, body: got }] = peer.requests as [CgiRequest]
    assert.equal(params.get('REQUEST_METHOD'), 'POST')
    assert.equal(params.get('QUERY_STRING'), 'q=1')
    assert.equal(params.get('CONTENT_LENGTH'), '300000')
    assert.equal(params.get('HTTP_X_MINE'), 'b')
    assert.deepEqual([params.has('HTTP_X_SET'), params.has('A'), params.has('HTTPS')], [false, false, false])
    assert.equal(got, body)
  })

  test(`${way}: a body of unknown length is counted first, also without buffering`, async () => {
    await using peer = await start(() => OK)
    await using server = await startViaduct(conf(way, peer.port, `${way}_request_buffering off;`))
    const socket = net.connect(server.port(), '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    setImmediate(() => socket.write('6\r\n world\r\n0\r\n\r\n'))
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    assert.match(bytes.toString(), /^HTTP\/1\.1 200 /)
    const [{ params, body }] = peer.requests as [CgiRequest]
    assert.equal(params.get('CONTENT_LENGTH'), '11')
    assert.equal(body, 'hello world')
    socket.destroy()
  })

  test(`${way}: answers with and without a status line, with and without a length`, async () => {
    const answers: Record<string, string> = {
      '/line': 'HTTP/1.1 404 Lost\r\nA: b\r\n\r\nlost',
      '/field': 'Status: 403 No\r\n\r\nno',
      '/length': 'HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabcdef',
      '/moved': 'Location: /elsewhere\r\n\r\n',
      '/short': 'HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc',
      '/broken': ': x\r\n\r\n',
      '/status': 'Status: abc\r\n\r\n',
      '/early': 'HTTP/1.1 103 Early\r\n\r\n',
      '/nothing': '',
    }
    await using peer = await start(({ params }) => answers[params.get('REQUEST_URI')!]!)
    await using server = await startViaduct(conf(way, peer.port))
    const get = async (path: string): Promise<unknown[]> => {
      const response = await fetch(server.url(path), { redirect: 'manual' })
      return [response.status, response.statusText, await response.text()]
    }
    assert.deepEqual(await get('/line'), [404, 'Lost', 'lost'])
    assert.deepEqual(await get('/field'), [403, 'No', 'no'])
    assert.deepEqual(await get('/length'), [200, 'OK', 'abc'])
    assert.deepEqual((await get('/moved')).slice(0, 2), [302, 'Moved Temporarily'])
    await assert.rejects(get('/short'), 'a body that is cut short is noticed')
    for (const path of ['/broken', '/status', '/early', '/nothing']) assert.equal((await get(path))[0], 502, path)
    const log = server.errorLog()
    assert.match(log, /upstream sent more data than specified in "Content-Length" header while reading upstream/)
    assert.match(log, /upstream sent invalid header: "\\x3a\.\.\." while reading response header from upstream/)
    assert.match(log, /upstream sent invalid status "abc" while reading response header from upstream/)
    assert.match(log, /upstream prematurely closed connection while reading response header from upstream,/)
  })
}

test('uwsgi: the modifiers and the string stand in the packet', async () => {
  await using peer = await CgiPeer.uwsgi(() => OK)
  const extra = 'uwsgi_modifier1 5; uwsgi_modifier2 9; uwsgi_pass_request_headers off;'
  await using server = await startViaduct(conf('uwsgi', peer.port, extra))
  await fetch(server.url('/'))
  const [{ start, params }] = peer.requests as [CgiRequest]
  assert.deepEqual([start.charCodeAt(0), start.charCodeAt(3)], [5, 9])
  assert.equal(params.get('HTTP_HOST'), `127.0.0.1:${server.port()}`)
})

test('uwsgi: a packet that is too large is refused, and one that uWSGI may refuse is told of', async () => {
  await using peer = await CgiPeer.uwsgi(({ socket }) => void socket.destroy())
  const text = `large_client_header_buffers 16 64k; ${conf('uwsgi', peer.port).slice('http { '.length)}`
  await using server = await startViaduct(`http { ${text}`, { alerts: true })
  const big = (size: number) => fetch(server.url('/'), { headers: { 'X-Big': 'x'.repeat(size) } })
  // Node sends no head of 64 KB, so it is two fields.
  const two = await fetch(server.url('/'), { headers: { 'X-A': 'x'.repeat(40_000), 'X-B': 'x'.repeat(40_000) } })
  assert.equal(two.status, 500)
  assert.equal((await big(5000)).status, 502)
  const log = server.errorLog()
  assert.match(log, /\[alert\].*uwsgi request is too big: \d+, client/)
  assert.match(
    log,
    /while reading response header from upstream \(the parameters of the request have 5\d\d\d bytes: uWSGI takes 4096 unless its "buffer-size" says more\), client/,
  )
})

test('uwsgi: an application may leave HTTP when the client asks for it', async () => {
  await using peer = await CgiPeer.uwsgi(({ socket }) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello')
    socket.on('data', (text) => socket.end(`got ${text}`))
    return undefined
  })
  await using server = await startViaduct(conf('uwsgi', peer.port))
  const socket = net.connect(server.port(), '127.0.0.1')
  let text = ''
  socket.on('data', (bytes) => {
    text += bytes.toString()
    if (text.endsWith('hello')) socket.write('ping')
  })
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
  await once(socket, 'close')
  assert.match(text, /^HTTP\/1\.1 101 .*hellogot ping$/s)
})
