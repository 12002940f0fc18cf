/** `error_log`: levels, several targets, memory buffers, debug_connection, and what is refused. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { Prefix, startViaduct } from '../harness/server.ts'

test('each target gets what its level wants, and locations have their own', async () => {
  await using server = await startViaduct(`
error_log %%DIR%%/error.log notice;
error_log memory:32k debug;
http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/none;
  location /own { error_log %%DIR%%/own.log; error_log %%DIR%%/all.log debug; error_log %%DIR%%/crit.log crit; }
} }`)
  assert.equal((await fetch(server.url('/x'))).status, 404)
  await server.logged(
    /\[error\] \d+#\d+: \*\d+ open\(\) "[^"]*\/none\/x" failed \(2: No such file or directory\), client: /,
  )
  assert.equal((await fetch(server.url('/own'))).status, 404)
  await server.until('lines', () => /finalize request/.test(server.prefix.read('all.log')))
  assert.match(server.prefix.read('all.log'), /\[debug\] .*using configuration "\/own"/)
  assert.match(server.prefix.read('own.log'), /^[^\n]*\[error\] [^\n]*\n$/)
  assert.equal(server.prefix.read('crit.log'), '')
  assert.doesNotMatch(server.errorLog(), /\/own/)
})

test('debug_connection tells all about some clients', async () => {
  await using server = await startViaduct(`
events { debug_connection 127.0.0.2; debug_connection 127.0.1.0/24; }
error_log %%DIR%%/error.log alert;
http { server { listen %%PORT_0%%; location / { return 204; } } }`)
  await fetch(server.url('/quiet'))
  for (const host of ['127.0.0.2', '127.0.1.9']) {
    const seen = server.errorLog().length
    const socket = net.connect({ port: server.port(), host: '127.0.0.1', localAddress: host })
    socket.end('GET /told HTTP/1.0\r\n\r\n')
    await server.until('debug lines', () => /\[debug\] .*GET \/told/.test(server.errorLog().slice(seen)))
    socket.destroy()
  }
  assert.doesNotMatch(server.errorLog(), /quiet/)
})

const REFUSED: readonly (readonly [string, string])[] = [
  ['error_log a.log loud;', 'invalid log level "loud"'],
  ['error_log a.log error error;', 'duplicate log level "error"'],
  ['error_log memory:1k;', 'invalid buffer size "1k"'],
  ['error_log memory:x;', 'invalid buffer size "x"'],
  ['error_log syslog:server=127.0.0.1,facility=none;', 'unknown syslog facility "none"'],
  ['error_log syslog:server=127.0.0.1:x;', 'invalid port in syslog server "127.0.0.1:x"'],
]

test('mistakes are named as nginx names them', async () => {
  await using prefix = await Prefix.create('')
  for (const [text, message] of REFUSED) {
    prefix.write('nginx.conf', `${text} events { }`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1, text)
    assert.ok(stderr.includes(message), `${text}\n${stderr}`)
  }
})

test('tags say more about a request, and a block with some has its own alone', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/none;
    error_log_tag tenant $http_x_tenant; error_log_tag id $arg_id;
    location /own { error_log_tag place here; }
  } }`)
  await fetch(server.url('/a?id=7'), { headers: { 'X-Tenant': 'acme', Referer: 'http://r/' } })
  await fetch(server.url('/b'))
  await fetch(server.url('/own'))
  await server.logged(/"[^"]*\/none\/a" failed .*, referrer: "http:\/\/r\/", tenant: "acme", id: "7"\n/)
  await server.logged(/"[^"]*\/none\/b" failed .*, host: "127.0.0.1:\d+"\n/)
  await server.logged(/"[^"]*\/none\/own" failed .*, host: "127.0.0.1:\d+", place: "here"\n/)
})

test('a link to a standard stream that cannot be opened means the stream', async () => {
  const prepare = (dir: string) => fs.symlinkSync('/dev/stderr', `${dir}/linked.log`)
  // What Node makes for the streams of a child are sockets, as those of services are.
  await using server = await startViaduct(
    `error_log linked.log notice; http { access_log %%DIR%%/linked.log; server { listen 127.0.0.1:%%PORT_0%%; return 204; } }`,
    { prepare, args: ['-e', 'linked.log'] },
  )
  await server.raw('GET /asked HTTP/1.0\n\n')
  await server.until(
    'lines of both kinds',
    () => /GET \/asked/.test(server.stderr) && /start worker process/.test(server.stderr),
  )
  process.kill(server.pid, 'SIGUSR1')
  await server.until('it is reopened', () => /reopening logs/.test(server.stderr))
  await server.raw('GET /again HTTP/1.0\n\n')
  await server.until('it goes on', () => /GET \/again/.test(server.stderr))
})
