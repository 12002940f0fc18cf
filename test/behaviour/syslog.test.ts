/** Error and access logs that go to a syslog server over UDP. */
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import os from 'node:os'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

test('messages have the form of RFC 3164', async () => {
  const messages: string[] = []
  const socket = dgram.createSocket('udp4', (bytes) => messages.push(bytes.toString('latin1')))
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  try {
    const to = `server=127.0.0.1:${socket.address().port}`
    await using server = await startViaduct(`
http {
  log_format short "$uri $status";
  server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%;
    error_log syslog:${to},facility=user,tag=SEETAG info;
    access_log syslog:${to},severity=alert,nohostname short;
  }
}`)
    assert.equal((await fetch(server.url('/none'))).status, 404)
    await server.until('two messages', () => messages.length >= 2)
    const host = os.hostname().toLowerCase()
    const time = String.raw`\w{3} [ \d]\d \d\d:\d\d:\d\d`
    const error = messages.find((text) => text.includes('open()'))!
    assert.match(
      error,
      new RegExp(`^<11>${time} ${host} SEETAG: \\d{4}/\\d\\d/\\d\\d .* \\[error\\] .*\\/none" failed`),
    )
    const access = messages.find((text) => !text.includes('open()'))!
    assert.match(access, new RegExp(`^<185>${time} nginx: /none 404$`))
  } finally {
    socket.close()
  }
})
