/** fastcgi_pass: what an application is told, and what becomes of its answers. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { answer, END_OF_REQUEST, FastcgiPeer, record, STDERR, STDOUT } from '../harness/fastcgi-peer.ts'
import { Prefix, startViaduct } from '../harness/server.ts'

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

test('stderr can make an answer invalid, so that another server is asked', async () => {
  await using bad = await FastcgiPeer.start(() => record(STDERR, 'PHP Fatal error: oh') + answer('\r\n'))
  await using good = await FastcgiPeer.start()
  const group = `upstream app { server 127.0.0.1:${bad.port} max_fails=0; server 127.0.0.1:${good.port} backup; }`
  await using server = await startViaduct(`http { ${group} server { listen 127.0.0.1:%%PORT_0%%;
    location / { fastcgi_pass app; fastcgi_catch_stderr "Fatal error"; fastcgi_next_upstream invalid_header; } } }`)
  assert.equal(await (await fetch(server.url('/'))).text(), 'ok')
  assert.match(server.errorLog(), /FastCGI sent in stderr: "PHP Fatal error: oh" while reading response header/)
  assert.doesNotMatch(server.errorLog(), /\[error\] \S+: \*\d+ while/)
})

test('what php-fpm could not find is said with what it was asked for', async () => {
  await using peer = await FastcgiPeer.start(
    () => record(STDERR, 'Primary script unknown') + answer('Status: 404 Not Found\r\n\r\nFile not found.\n'),
  )
  const pass = `fastcgi_pass 127.0.0.1:${peer.port};`
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%;
    location /gone { ${pass} fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }
    location /nginx.conf { ${pass} fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }
    location /none { ${pass} fastcgi_param SCRIPT_NAME $fastcgi_script_name; } } }`)
  for (const path of ['/gone.php', '/nginx.conf', '/none']) {
    const response = await fetch(server.url(path))
    assert.deepEqual([response.status, await response.text()], [404, 'File not found.\n'])
  }
  const log = server.errorLog()
  assert.match(
    log,
    /FastCGI sent in stderr: "Primary script unknown" while reading response header from upstream, client/,
  )
  assert.match(log, /SCRIPT_FILENAME was sent as "\S+\/gone\.php", which is no file here either/)
  assert.match(log, /SCRIPT_FILENAME was sent as "\S+\/nginx\.conf", which is there: the server may not read it/)
  assert.match(log, /no SCRIPT_FILENAME was sent/)
})

test("records that make no sense are said in nginx's words", async () => {
  const broken: Record<string, [string, string]> = {
    '/version': ['\x02', 'unsupported FastCGI protocol version: 2 while reading response header'],
    '/type': ['\x01\x09', 'invalid FastCGI record type: 9'],
    '/id': ['\x01\x06\x01', 'unexpected FastCGI request id high byte: 1'],
    '/id2': ['\x01\x06\0\x02', 'unexpected FastCGI request id low byte: 2'],
    '/end': [END_OF_REQUEST, 'unexpected FastCGI record: 3'],
    '/stdout': [record(STDOUT, ''), 'upstream prematurely closed FastCGI stdout'],
    '/big': [record(STDOUT, `A: ${'b'.repeat(5000)}`), 'upstream sent too big header'],
    '/101': [answer('Status: 101\r\n\r\n'), 'upstream sent unexpected status "101"'],
  }
  await using peer = await FastcgiPeer.start(({ params }) => broken[params.get('URI')!]![0])
  await using server = await startViaduct(conf(peer.port, 'fastcgi_param URI $uri;'))
  for (const [path, [, words]] of Object.entries(broken)) {
    assert.equal((await fetch(server.url(path))).status, 502, path)
    assert.ok(server.errorLog().includes(words), words)
  }
})

test('a body that is too short or too long is noticed', async () => {
  const answers: Record<string, string> = {
    '/short': answer('Content-Length: 10\r\n\r\nshort'),
    '/cut': record(STDOUT, 'A: b\r\n\r\nbeginning') + record(STDOUT, 'this is cut').slice(0, -8),
    '/long': answer('Content-Length: 4\r\n\r\nfour and more'),
    '/later': record(STDOUT, 'Content-Length: 4\r\n\r\nfour') + answer('more'),
    '/open': record(STDOUT, 'A: b\r\n\r\nall of it'),
  }
  await using peer = await FastcgiPeer.start(({ params }) => answers[params.get('URI')!]!)
  await using server = await startViaduct(conf(peer.port, 'fastcgi_param URI $uri;'))
  const get = async (path: string) => (await fetch(server.url(path))).text()
  await assert.rejects(get('/short'))
  await assert.rejects(get('/cut'))
  assert.equal(await get('/long'), 'four')
  assert.equal(await get('/later'), 'four')
  assert.equal(await get('/open'), 'all of it')
  const log = server.errorLog()
  assert.match(log, /upstream prematurely closed FastCGI stdout while reading upstream/)
  assert.match(log, /upstream prematurely closed connection while reading upstream/)
  assert.equal(log.match(/sent more data than specified in "Content-Length" header while reading upstream/g)?.length, 2)
})

test('a body of unknown length is counted first where the application is told it, else passed on as it comes', async () => {
  await using peer = await FastcgiPeer.start()
  const pass = `fastcgi_pass 127.0.0.1:${peer.port}; fastcgi_request_buffering off;`
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location /told { ${pass} include fastcgi_params; } location /stream { ${pass} } } }`)
  const socket = net.connect(server.port(), '127.0.0.1')
  const head = (path: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`
  socket.write(`${head('/told')}5\r\nhello\r\n`)
  await new Promise<void>((resolve) => setImmediate(resolve))
  socket.write('6\r\n world\r\n0\r\n\r\n')
  await peer.until(() => peer.requests.length === 1)
  assert.equal(peer.request.params.get('CONTENT_LENGTH'), '11')
  assert.equal(peer.request.body, 'hello world')
  peer.records.length = 0
  socket.write(`${head('/stream')}5\r\nhello\r\n`)
  await peer.until(() => peer.records.includes('5:5'))
  socket.write('6\r\n world\r\n0\r\n\r\n')
  await peer.until(() => peer.requests.length === 2)
  assert.equal(peer.requests[1]!.body, 'hello world')
  socket.destroy()
})

test('a large body goes in records, from its file', async () => {
  await using peer = await FastcgiPeer.start()
  await using server = await startViaduct(
    conf(peer.port, 'client_body_buffer_size 8k; client_max_body_size 1m; include fastcgi_params;'),
  )
  const body = Buffer.alloc(300_001, 'abc')
  assert.equal((await fetch(server.url('/'), { method: 'POST', body })).status, 200)
  assert.equal(peer.request.body, body.toString())
  assert.equal(peer.request.params.get('CONTENT_LENGTH'), '300001')
  assert.ok(peer.records.includes('5:32768'))
})

test('parameters that fill more than a record go in several', async () => {
  await using peer = await FastcgiPeer.start()
  await using server = await startViaduct(conf(peer.port, '', 'large_client_header_buffers 8 64k;'), { alerts: true })
  const value = (char: string, size: number) => char.repeat(size)
  const headers = { 'X-A': value('a', 40_000), 'X-B': value('b', 40_000), 'X-C': 'c' }
  const socket = net.connect(server.port(), '127.0.0.1')
  const lines = Object.entries(headers).map(([name, text]) => `${name}: ${text}\r\n`)
  socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${lines.join('')}\r\n`)
  await peer.until(() => peer.requests.length === 1)
  for (const [name, text] of Object.entries(headers)) {
    assert.equal(peer.request.params.get(`HTTP_${name.replace('-', '_').toUpperCase()}`), text)
  }
  socket.destroy()
})

test('fields that a client repeats become one parameter', async () => {
  await using peer = await FastcgiPeer.start()
  await using server = await startViaduct(conf(peer.port))
  const socket = net.connect(server.port(), '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nX-M: 1\r\nCookie: b=2\r\nx-m: 2\r\n\r\n')
  await peer.until(() => peer.requests.length === 1)
  const { pairs } = peer.request
  assert.deepEqual(
    pairs.filter(([name]) => /COOKIE|X_M/.test(name)),
    [
      ['HTTP_COOKIE', 'a=1; b=2'],
      ['HTTP_X_M', '1, 2'],
    ],
  )
  socket.destroy()
})

test('a script and the path behind it are told apart, and try_files makes it the script alone', async () => {
  await using peer = await FastcgiPeer.start()
  const pass = `fastcgi_pass 127.0.0.1:${peer.port}; fastcgi_param S $fastcgi_script_name; fastcgi_param P $fastcgi_path_info;`
  const split = 'fastcgi_split_path_info ^(.+?\\.php)(/.*)$;'
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/html;
      location /plain/ { ${pass} ${split} }
      location ~ ^/snippet { include snippets/fastcgi-php.conf; fastcgi_param P $path_info; fastcgi_param S $fastcgi_script_name;
        fastcgi_pass 127.0.0.1:${peer.port}; }
      location /tried { ${split} try_files $fastcgi_script_name =404; ${pass} } } }`,
    { files: { 'html/tried.php': '', 'html/snippet.php': '' } },
  )
  const seen = async (path: string) => {
    const { status } = await fetch(server.url(path))
    const params = peer.requests.at(-1)?.params
    return [status, params?.get('S'), params?.get('P')]
  }
  assert.deepEqual(await seen('/plain/a.php/some/path'), [200, '/plain/a.php', '/some/path'])
  assert.deepEqual(await seen('/plain/'), [200, '/plain/', ''])
  assert.deepEqual(await seen('/tried.php/x'), [200, '/tried.php', ''])
  assert.deepEqual(await seen('/snippet.php/x'), [200, '/snippet.php', '/x'])
  assert.equal((await seen('/snippet-not.php'))[0], 404)
})

test("what is written wrong is said in nginx's words", async () => {
  const read = [
    ['fastcgi_param A b c', 'invalid parameter "c"'],
    ['fastcgi_param A', 'invalid number of arguments in "fastcgi_param" directive'],
    ['fastcgi_split_path_info ^(a)', 'pattern "^(a)" must have 2 captures'],
    ['uwsgi_modifier1 256', 'value must be between 0 and 255'],
    ['scgi_store ""', 'empty path'],
    ['fastcgi_next_upstream http_502', 'invalid value "http_502"'],
  ] as const
  const compiled = [
    ['fastcgi_pass 127.0.0.1', 'no port in upstream "127.0.0.1"'],
    ['fastcgi_pass unix:', 'no path in the unix domain socket in upstream "unix:"'],
    ['fastcgi_pass nowhere.invalid:9000', 'host not found in upstream "nowhere.invalid"'],
    ['uwsgi_pass suwsgi://127.0.0.1', 'no port in upstream "127.0.0.1"'],
  ] as const
  for (const wrong of [read, compiled]) {
    const locations = wrong.map(([line], n) => `location /${n} { ${line}; }`).join('\n')
    await using prefix = await Prefix.create(`pid p; events { } http { server {\n${locations} } }`)
    const { stderr } = await prefix.run(['-t'])
    for (const [line, problem] of wrong) assert.ok(stderr.includes(`[emerg] ${problem} in `), `${line}: ${stderr}`)
  }
})
