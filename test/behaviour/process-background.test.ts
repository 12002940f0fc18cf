/** `daemon on` and `master_process off`: other shapes of the same server. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { isAlive, Prefix, startViaduct, withDefaults } from '../harness/server.ts'

const HTTP = 'http { server { listen 127.0.0.1:%%PORT_0%%; } }'

test('daemon on: the command ends when the server listens, which then has no terminal', async () => {
  await using server = await startViaduct(`daemon on; ${HTTP}`)
  assert.deepEqual(await server.ended, { code: 0, signal: null })
  assert.notEqual(server.pid, server.child.pid)
  assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
  const [, , , , session] =
    /\) (\S+) (\S+) (\S+) (\S+)/.exec(fs.readFileSync(`/proc/${server.pid}/stat`, 'latin1')) ?? []
  assert.equal(Number(session), server.pid)
  await server.reload()
  const { pid } = server
  await server.stop('SIGQUIT')
  assert.equal(isAlive(pid), false)
  assert.equal(server.stderr, '')
})

test('daemon on: what goes wrong is shown and the exit status is 1', async () => {
  const busy = net.createServer()
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve))
  const { port } = busy.address() as net.AddressInfo
  await using prefix = await Prefix.create(withDefaults(`daemon on; http { server { listen 127.0.0.1:${port}; } }`))
  const { code, stderr } = await prefix.run()
  busy.close()
  assert.equal(code, 1)
  const line = `viaduct: [emerg] bind() to 127.0.0.1:${port} failed (98: Address already in use)\n`
  assert.equal(stderr, `${line.repeat(5)}viaduct: [emerg] still could not bind()\n`)
})

test('master_process off: one process serves, reloads and ends', async () => {
  await using server = await startViaduct(`master_process off; ${HTTP} # %%PORT_1%%`)
  const children = `/proc/${server.pid}/task/${server.pid}/children`
  await server.until('there is no other process', () => fs.readFileSync(children, 'latin1') === '')
  assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
  const both = `${HTTP.slice(0, -1)} server { listen 127.0.0.1:%%PORT_1%%; } }`
  server.prefix.write('nginx.conf', withDefaults(`master_process off; ${both}`))
  server.signal('SIGHUP')
  await server.until('the new address listens', () => server.listens(1))
  assert.match(await server.raw('GET / HTTP/1.0\n\n', 0), /^HTTP\/1.1 /)
  assert.equal((await server.stop('SIGQUIT')).code, 0)
  assert.equal(fs.existsSync(`${server.dir}/nginx.pid`), false)
})
