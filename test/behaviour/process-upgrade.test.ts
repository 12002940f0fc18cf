/** USR2: a new master takes over the listening sockets, or fails and leaves the old one as it was. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { isAlive, type Server, startViaduct } from '../harness/server.ts'

const CONF = `worker_processes 2; http {
  server { listen 127.0.0.1:%%PORT_0%%; }
  server { listen unix:%%DIR%%/http.sock; }
}`

async function upgrade(server: Server): Promise<number> {
  const old = server.pid
  process.kill(old, 'SIGUSR2')
  await server.until('a new master', () => {
    const text = server.prefix.read('nginx.pid')
    return text.endsWith('\n') && Number(text) !== old
  })
  assert.equal(Number(server.prefix.read('nginx.pid.oldbin')), old)
  return old
}

test('the old master can go when the new one serves', async () => {
  await using server = await startViaduct(CONF)
  const old = await upgrade(server)
  process.kill(old, 'SIGQUIT')
  await server.until('the old master is gone', () => !isAlive(old))
  assert.equal(fs.existsSync(`${server.dir}/nginx.pid.oldbin`), false)
  for (let i = 0; i < 8; i++) assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
  assert.ok(fs.existsSync(`${server.dir}/http.sock`))
  await server.reload()
  await server.stop()
  assert.equal(fs.existsSync(`${server.dir}/http.sock`), false)
})

test('the new master can go and the old one serves on, also after WINCH and HUP', async () => {
  await using server = await startViaduct(`daemon on; ${CONF}`)
  const old = await upgrade(server)
  const young = server.pid
  process.kill(old, 'SIGWINCH')
  await server.logged(/gracefully shutting down/)
  process.kill(old, 'SIGHUP')
  process.kill(young, 'SIGQUIT')
  await server.until('the pid file is back', () => server.pid === old && !isAlive(young))
  for (let i = 0; i < 8; i++) assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
  assert.ok(fs.existsSync(`${server.dir}/http.sock`))
})

test('a new master that cannot start changes nothing', async () => {
  await using server = await startViaduct(CONF)
  const old = server.pid
  const good = server.prefix.read('nginx.conf')
  server.prefix.write('nginx.conf', 'nonsense;')
  process.kill(old, 'SIGUSR2')
  await server.logged(/new binary process \d+ exited with code 1/)
  assert.equal(server.pid, old)
  assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
  server.prefix.write('nginx.conf', good)
  await server.reload()
})

test('a second upgrade is refused while the first is under way', async () => {
  await using server = await startViaduct(CONF)
  const old = await upgrade(server)
  process.kill(old, 'SIGUSR2')
  await server.logged(/\[crit\] .*the changing binary signal is ignored/)
  process.kill(old, 'SIGQUIT')
  await server.until('the old master is gone', () => !isAlive(old))
})
