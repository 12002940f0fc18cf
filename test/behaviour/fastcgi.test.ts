/** fastcgi_pass: what an application is told, and what becomes of its answers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, END_OF_REQUEST, FastcgiPeer, record, STDERR, STDOUT } from '../harness/fastcgi-peer.ts'
import { startViaduct } from '../harness/server.ts'

const conf = (port: number, location = '', more = '') => `http { ${more}
  server { listen 127.0.0.1:%%PORT_0%%; server_name localhost;
    location / { fastcgi_pass 127.0.0.1:${port}; ${location} } } }`

test('parameters and fields of the client reach the application', async () => {
  await using peer = await FastcgiPeer.start()
  const params = `fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING $query_string;
    fastcgi_param SCRIPT_FILENAME /srv$fastcgi_script_name; fastcgi_param HTTPS $https if_not_empty;
    fastcgi_param EMPTY ""; fastcgi_param HTTP_X_SET mine; fastcgi_param HTTP_X_GONE ""; fastcgi_index index.php;`
  await using server = await startViaduct(conf(peer.port, params))
  const long = 'x'.repeat(1000)
  const response = await fetch(server.url('/dir/?a=1'), {
    headers: { 'X-Set': 'theirs', 'X-Gone': 'theirs', 'X-Long': long, Proxy: 'http://evil/', 'X-Two': 'a' },
  })
  assert.equal(await response.text(), 'ok')
  const { params: got, keep } = peer.request
  assert.equal(got.get('REQUEST_METHOD'), 'GET')
  assert.equal(got.get('QUERY_STRING'), 'a=1')
  assert.equal(got.get('SCRIPT_FILENAME'), '/srv/dir/index.php')
  assert.equal(got.has('HTTPS'), false)
  assert.equal(got.get('EMPTY'), '')
  assert.equal(got.get('HTTP_X_SET'), 'mine')
  assert.equal(got.has('HTTP_X_GONE'), false)
  assert.equal(got.get('HTTP_X_LONG'), long)
  assert.equal(got.has('HTTP_PROXY'), false)
  assert.equal(got.get('HTTP_HOST'), `127.0.0.1:${server.port(0)}`)
  assert.equal(keep, false)
})

test('status, Location and fields of the answer are understood', async () => {
  const answers: Record<string, string> = {
    '/status': 'Status: 404 No Way\r\nX-Me: yes\r\n\r\ngone',
    '/moved': 'Location: http://elsewhere/\r\n\r\n',
    '/plain': 'Content-Type: text/x\n\nunix lines',
    '/length': 'Content-Length: 4\r\n\r\nfour',
    '/empty': 'Status: 204\r\n\r\n',
  }
  await using peer = await FastcgiPeer.start(({ params }) => answer(answers[params.get('URI')!]!))
  await using server = await startViaduct(conf(peer.port, 'fastcgi_param URI $uri;'))
  const get = async (path: string) => {
    const response = await fetch(server.url(path), { redirect: 'manual' })
    return [response.status, response.statusText, await response.text(), response.headers.get('status')]
  }
  assert.deepEqual(await get('/status'), [404, 'No Way', 'gone', null])
  assert.deepEqual(await get('/moved'), [302, 'Moved Temporarily', '', null])
  assert.deepEqual(await get('/plain'), [200, 'OK', 'unix lines', null])
  assert.deepEqual(await get('/length'), [200, 'OK', 'four', null])
  assert.equal((await get('/empty'))[0], 204)
})

test('an answer is understood however it is cut, with stderr in between', async () => {
  const parts =
    record(STDERR, 'careful. ') +
    record(STDOUT, 'Content-Ty') +
    record(STDERR, 'warning', 3) +
    record(STDOUT, 'pe: text/x\r\nX-Two: b\r', 200) +
    record(STDOUT, '\n\r\nhel') +
    record(STDERR, 'again') +
    record(STDOUT, 'lo') +
    record(STDOUT, '') +
    END_OF_REQUEST
  let cut = 0
  await using peer = await FastcgiPeer.start(({ socket }) => {
    socket.setNoDelay(true)
    socket.write(parts.slice(0, cut), 'latin1')
    setImmediate(() => setImmediate(() => socket.end(parts.slice(cut), 'latin1')))
    return undefined
  })
  await using server = await startViaduct(conf(peer.port))
  for (cut = 1; cut < parts.length; cut++) {
    const response = await fetch(server.url('/'), { headers: { connection: 'close' } })
    assert.equal(await response.text(), 'hello', `cut at ${cut}`)
    assert.equal(response.headers.get('x-two'), 'b')
  }
  const log = server.errorLog()
  assert.match(log, /FastCGI sent in stderr: "careful" while reading response header from upstream/)
  assert.match(log, /FastCGI sent in stderr: "again" while reading upstream/)
})

test('connections are kept when that is wanted', async () => {
  await using peer = await FastcgiPeer.start()
  const group = `upstream app { server 127.0.0.1:${peer.port}; keepalive 4; }`
  await using server = await startViaduct(`http { ${group} server { listen 127.0.0.1:%%PORT_0%%;
    location / { fastcgi_pass app; fastcgi_keep_conn on; } } }`)
  for (let i = 0; i < 3; i++) assert.equal(await (await fetch(server.url('/'))).text(), 'ok')
  assert.deepEqual(
    peer.requests.map(({ keep, connection }) => [keep, connection]),
    [
      [true, 0],
      [true, 0],
      [true, 0],
    ],
  )
})
