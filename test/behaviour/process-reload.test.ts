/** SIGHUP: a good configuration takes over without a gap, a bad one changes nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, startViaduct } from '../harness/server.ts'

const ONE = 'http { server { listen 127.0.0.1:%%PORT_0%%; } }'
const TWO = 'http { server { listen 127.0.0.1:%%PORT_0%%; } server { listen 127.0.0.1:%%PORT_1%%; } } # %%PORT_2%%'

test('a reload opens new listeners and keeps the old ones', async () => {
  await using server = await startViaduct(`${ONE} # %%PORT_2%%`)
  await assert.rejects(server.connect(1))
  await server.reload(TWO)
  assert.match(await server.raw('GET / HTTP/1.0\n\n', 0), /^HTTP\/1.1 /)
  assert.match(await server.raw('GET / HTTP/1.0\n\n', 1), /^HTTP\/1.1 /)
  assert.match(server.errorLog(), /\[notice\] .*signal 1 \(SIGHUP\) received/)
  assert.match(server.errorLog(), /\[notice\] .*: reconfiguring/)
})

test('a reload closes removed listeners; their open connections live on', async () => {
  await using server = await startViaduct(TWO)
  using open = await server.connect(1)
  open.write('GET / HTTP/1.0\r\n')
  await server.until('the connection is accepted', async () => (await server.raw('GET / HTTP/1.0\n\n', 1)) !== '')
  await server.reload(`${ONE} # %%PORT_2%%`)
  await server.until('the listener is closed', async () => !(await server.listens(1)))
  open.write('\r\n')
  assert.match(await open.rest(), /^HTTP\/1.1 /)
})

test('no connection attempt fails while reloads go on', async () => {
  await using server = await startViaduct(`worker_processes 2; ${ONE}`)
  let going = true
  let failures = 0
  let served = 0
  const clients = (async () => {
    while (going) {
      const answer = await server.raw('GET / HTTP/1.0\n\n').catch(() => '')
      if (answer.startsWith('HTTP/1.1 ')) served++
      else failures++
    }
  })()
  for (let i = 0; i < 3; i++) await server.reload()
  going = false
  await clients
  assert.equal(failures, 0)
  assert.ok(served > 0)
})

test('a bad configuration is logged and refused', async () => {
  await using server = await startViaduct(ONE)
  const log = await server.reloadRefused('http { server { listen 127.0.0.1:%%PORT_0%%; nonsense on; } }')
  assert.match(log, /\[emerg\] \d+#\d+: unknown directive "nonsense" in .*nginx.conf:1\n/)
  assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
})

test('more and fewer worker processes start and drain threads', async () => {
  await using server = await startViaduct(`worker_processes 1; ${ONE}`)
  await server.reload(`worker_processes 3; ${ONE}`)
  await server.until('three workers', () => server.errorLog().match(/start worker process \d+/g)?.length === 3)
  await server.reload(`worker_processes 1; ${ONE}`)
  await server.until('two gone', () => server.errorLog().match(/: exit\n/g)?.length === 2)
  for (let i = 0; i < 8; i++) assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
})

test('of threads that were started ahead by a wrong guess those too many leave', async () => {
  await using server = await startViaduct(`# was: ;worker_processes 3;\nworker_processes 1; ${ONE}`)
  const gone = /worker process \d+ exited with code 0\n/g
  await server.until('two gone', () => server.errorLog().match(gone)?.length === 2)
  for (let i = 0; i < 8; i++) assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
})

test('an address in use refuses the reload', async () => {
  await using other = await startViaduct(ONE)
  await using server = await startViaduct(ONE)
  const conf = `http { server { listen 127.0.0.1:%%PORT_0%%; } server { listen 127.0.0.1:${other.port()}; } }`
  const log = await server.reloadRefused(conf)
  assert.match(log, new RegExp(`bind\\(\\) to 127.0.0.1:${other.port()} failed \\(98: Address already in use\\)`))
  await server.logged(/still could not bind\(\)/)
  using client = await Client.connect(server.port())
  client.write('GET / HTTP/1.0\n\n')
  assert.match(await client.rest(), /^HTTP\/1.1 /)
})
