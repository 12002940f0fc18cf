/** Signals to the master: graceful and fast ends, logs opened anew, what is written while they happen. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { constants } from 'node:os'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Prefix, startViaduct } from '../harness/server.ts'
import { until } from '../harness/wait.ts'

const VIADUCT = fileURLToPath(new URL('../../bin/viaduct', import.meta.url))

const CONF = 'http { server { listen 127.0.0.1:%%PORT_0%%; } }'

test('QUIT finishes an open request, refuses new connections, and ends with 0', async () => {
  await using server = await startViaduct(CONF)
  using open = await server.connect()
  open.write('GET / HTTP/1.1\r\nHost: a\r\n')
  await server.until('the connection is accepted', async () => (await server.raw('GET / HTTP/1.0\n\n')) !== '')
  server.signal('SIGQUIT')
  await server.logged(/gracefully shutting down/)
  await server.until('no new connections', async () => !(await server.listens()))
  open.write('\r\n')
  assert.match(await open.rest(), /^HTTP\/1.1 \d+ /)
  assert.deepEqual(await server.ended, { code: 0, signal: null })
  const log = server.errorLog()
  assert.match(log, /\[notice\] .*signal 3 \(SIGQUIT\) received, shutting down\n/)
  assert.match(log, /\[notice\] .*: exiting\n/)
  assert.match(log, /\[notice\] .*worker process \d+ exited with code 0\n/)
  assert.match(log, /\[notice\] .*: exit\n$/)
})

test('QUIT closes idle connections at once', async () => {
  await using server = await startViaduct(CONF)
  using idle = await server.connect()
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await idle.until(/\r\n\r\n/)
  await server.stop('SIGQUIT')
  await idle.rest()
})

test('QUIT finishes requests of one address when another has idle clients only', async () => {
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%%; listen 127.0.0.1:%%PORT_1%%; } }`,
  )
  using idle = await server.connect(0)
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await idle.until(/\r\n\r\n/)
  using open = await server.connect(1)
  open.write('GET / HTTP/1.1\r\nHost: a\r\n')
  await server.until('the connection is accepted', async () => (await server.raw('GET / HTTP/1.0\n\n', 1)) !== '')
  server.signal('SIGQUIT')
  await idle.rest()
  await server.until('no new connections', async () => !(await server.listens()))
  open.write('\r\n')
  assert.match(await open.rest(), /^HTTP\/1.1 \d+ /)
  assert.deepEqual(await server.ended, { code: 0, signal: null })
})

test('QUIT lets a slow client have all of a large response', async () => {
  const big = Buffer.alloc(30_000_000, 'x')
  await using server = await startViaduct(CONF, { files: { 'html/big': big } })
  using slow = await server.connect()
  slow.socket.pause()
  slow.write('GET /big HTTP/1.0\r\n\r\n')
  await server.until('the connection is accepted', async () => (await server.raw('GET / HTTP/1.0\n\n')) !== '')
  server.signal('SIGQUIT')
  await server.until('no new connections', async () => !(await server.listens()))
  slow.socket.resume()
  const answer = await slow.rest()
  assert.equal(answer.length - answer.indexOf('\r\n\r\n') - 4, big.length)
  assert.deepEqual(await server.ended, { code: 0, signal: null })
})

test('worker_shutdown_timeout ends what does not end by itself', async () => {
  await using server = await startViaduct(`worker_shutdown_timeout 50ms; ${CONF}`)
  using open = await server.connect()
  open.write('GET / HTTP/1.1\r\n')
  await server.until('the connection is accepted', async () => (await server.raw('GET / HTTP/1.0\n\n')) !== '')
  assert.deepEqual(await server.stop('SIGQUIT'), { code: 0, signal: null })
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends at once with 0 although a request is open`, async () => {
    await using server = await startViaduct(CONF)
    using open = await server.connect()
    open.write('GET / HTTP/1.1\r\n')
    assert.deepEqual(await server.stop(signal), { code: 0, signal: null })
    assert.match(server.errorLog(), new RegExp(`signal \\d+ \\(${signal}\\) received, exiting`))
  })
}

test('USR1 opens logs anew, in the master and in workers', async () => {
  await using server = await startViaduct(CONF)
  fs.renameSync(`${server.dir}/error.log`, `${server.dir}/error.log.1`)
  server.signal('SIGUSR1')
  await server.until('workers have opened logs', () =>
    /\d+#\d+: reopening logs/.test(server.prefix.read('error.log.1')),
  )
  await server.until('a new file', () => fs.existsSync(`${server.dir}/error.log`))
  server.signal('SIGUSR1')
  await server.logged(/signal 10 \(SIGUSR1\) received, reopening logs\n.*: reopening logs\n.*: reopening logs\n/)
  await server.stop('SIGQUIT')
  assert.match(server.errorLog(), /gracefully shutting down/)
  assert.doesNotMatch(server.prefix.read('error.log.1'), /gracefully shutting down/)
})

test('a change of the terminal window does not stop a server in the foreground', async () => {
  await using server = await startViaduct(CONF)
  server.signal('SIGWINCH')
  await server.logged(/SIGWINCH\) received\n/)
  assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
})

test('WINCH without a new binary: who comes waits until HUP', async () => {
  await using server = await startViaduct(`daemon on; ${CONF}`)
  server.signal('SIGWINCH')
  await server.logged(/worker process \d+ exited with code 0\n.*worker process \d+ exited with code 0\n/)
  using client = await server.connect()
  client.write('GET / HTTP/1.0\r\n\r\n')
  server.signal('SIGHUP')
  assert.match(await client.rest(), /^HTTP\/1.1 /)
})

test('the start is noted with the version that tools look for', async () => {
  await using server = await startViaduct(CONF)
  assert.match(
    server.errorLog(),
    /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[notice\] (\d+)#\1: using the "(?:epoll|io_uring)" event method\n/,
  )
  assert.match(server.errorLog(), /\[notice\] \d+#\d+: nginx\/\d+\.\d+\.\d+\n/)
  assert.match(server.errorLog(), /start worker processes\n/)
  assert.match(server.errorLog(), /start worker process \d+\n/)
})

test('the pid file exists while the server listens', async () => {
  await using server = await startViaduct(CONF)
  assert.equal(server.prefix.read('nginx.pid'), `${server.child.pid}\n`)
  await server.stop()
  assert.equal(fs.existsSync(`${server.dir}/nginx.pid`), false)
})

test('signals that come before the server serves do not end it', async () => {
  await using prefix = await Prefix.create(
    'pid nginx.pid; error_log error.log notice; events {} http { server { listen 127.0.0.1:%%PORT_0%%; } }',
  )
  const child = spawn(VIADUCT, [...prefix.ownArgs(), '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('latin1').on('data', (text: string) => {
    said += text
  })
  try {
    await until('it runs', () => fs.readFileSync(`/proc/${child.pid}/cmdline`, 'latin1').includes('main.'))
    await until('it listens to signals', () => !isDefault(child.pid!, constants.signals.SIGHUP))
    for (const signal of ['SIGHUP', 'SIGUSR1'] as const) child.kill(signal)
    await until(
      'both were heard',
      () => /reopening logs/.test(prefix.read('error.log')) && /reconfiguring/.test(prefix.read('error.log')),
    )
    assert.equal(child.exitCode, null)
    assert.doesNotMatch(said, /Debugger/)
  } finally {
    child.kill('SIGKILL')
  }
})

/** Tells whether a process leaves what a signal does to the system. */
function isDefault(pid: number, signal: number): boolean {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))![1]!
  return (BigInt(`0x${caught}`) & (1n << BigInt(signal - 1))) === 0n
}
