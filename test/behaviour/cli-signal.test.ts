/** `-s`: commands to a running server through its pid file. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prefix, startViaduct, withDefaults } from '../harness/server.ts'

const CONF = 'http { server { listen 127.0.0.1:%%PORT_0%%; } }'

for (const [command, pattern] of [
  ['stop', /SIGTERM\) received, exiting/],
  ['quit', /SIGQUIT\) received, shutting down/],
] as const) {
  test(`-s ${command} ends the server`, async () => {
    await using server = await startViaduct(CONF)
    const { code, stderr } = await server.prefix.run(['-s', command])
    assert.deepEqual([code, stderr], [0, ''])
    assert.deepEqual(await server.ended, { code: 0, signal: null })
    assert.match(server.errorLog(), /signal process started\n/)
    assert.match(server.errorLog(), pattern)
  })
}

test('-s reload and -s reopen', async () => {
  await using server = await startViaduct(CONF)
  assert.equal((await server.prefix.run(['-s', 'reload'])).code, 0)
  await server.logged(/: reconfiguring\n(.*\n)*.* exited with code 0/)
  assert.equal((await server.prefix.run(['-sreopen'])).code, 0)
  await server.logged(/SIGUSR1\) received, reopening logs\n/)
})

test('without a server the pid file is what fails', async () => {
  await using prefix = await Prefix.create(withDefaults(CONF))
  const none = await prefix.run(['-s', 'stop'])
  assert.equal(none.code, 1)
  const path = `${prefix.dir}/nginx.pid`
  assert.equal(none.stderr, `viaduct: [error] open() "${path}" failed (2: No such file or directory)\n`)
  prefix.write('nginx.pid', '\n')
  const empty = await prefix.run(['-s', 'stop'])
  assert.equal(empty.code, 1)
  assert.equal(empty.stderr, `viaduct: [error] invalid PID number "" in "${path}"\n`)
  prefix.write('nginx.pid', '999999999\n')
  const gone = await prefix.run(['-s', 'reload'])
  assert.equal(gone.code, 1)
  assert.equal(gone.stderr, 'viaduct: [alert] kill(999999999, 1) failed (3: No such process)\n')
})
