/** `error_log syslog:` reaches a syslog server from the master and from workers. */
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { Prefix, startViaduct } from '../harness/server.ts'

test('messages of master and workers arrive with their levels', async () => {
  const syslog = dgram.createSocket('udp4')
  syslog.bind(0, '127.0.0.1')
  await once(syslog, 'listening')
  const messages: string[] = []
  syslog.on('message', (message) => messages.push(message.toString('latin1')))
  const target = `syslog:server=127.0.0.1:${syslog.address().port},facility=local0,tag=viaduct`
  {
    const logs = `error_log ${target} notice; error_log %%DIR%%/error.log debug;`
    await using server = await startViaduct(`${logs} http { server { listen 127.0.0.1:%%PORT_0%%; } }`)
    server.signal('SIGQUIT')
    await server.ended
    await server.until('all messages', () => messages.some((message) => message.endsWith(': exit')))
  }
  syslog.close()
  const all = messages.join('\n')
  assert.match(all, /^<133>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ viaduct: .* \[notice\] (\d+)#\1: start worker processes$/m)
  assert.match(all, /^<133>.* viaduct: .* \[notice\] \d+#\d+: gracefully shutting down$/m)
})

test('a mistake in the parameters is told', async () => {
  await using prefix = await Prefix.create('error_log syslog:server=127.0.0.1,colour=red; events { }')
  const { code, stderr } = await prefix.run(['-t'])
  assert.equal(code, 1)
  assert.match(stderr, /^viaduct: \[emerg\] unknown syslog parameter "colour=red" in .*nginx\.conf:1\n/)
})
