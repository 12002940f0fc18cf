/** memcached_pass against a real memcached. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'
import { BackEnd } from './back-ends.ts'

/** Speaks memcached's text protocol and returns what comes back, up to `end`. */
async function command(port: number, text: string | Buffer, end: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(text)
  let answer = ''
  for await (const bytes of socket) {
    answer += bytes
    if (answer.endsWith(end)) break
  }
  return answer
}

test('values small and large, over one kept connection', async () => {
  await using memcached = await BackEnd.memcached()
  const { port } = memcached
  const large = 'X'.repeat(900_000)
  for (const [key, value] of [
    ['/small', 'SEE-THIS'],
    ['/large', large],
    ['/empty', ''],
  ] as const) {
    assert.equal(await command(port, `set ${key} 0 0 ${value.length}\r\n${value}\r\n`, '\r\n'), 'STORED\r\n')
  }
  await using server = await startViaduct(`http { upstream values { server 127.0.0.1:${port}; }
    server { listen 127.0.0.1:%%PORT_0%%; location / { set $memcached_key $uri; memcached_pass values; } } }`)
  const connections = async () => /total_connections (\d+)/.exec(await command(port, 'stats\r\n', 'END\r\n'))![1]
  const before = Number(await connections())
  for (let round = 0; round < 3; round++) {
    assert.equal(await (await fetch(server.url('/small'))).text(), 'SEE-THIS')
    assert.equal(await (await fetch(server.url('/large'))).text(), large)
    assert.equal(await (await fetch(server.url('/empty'))).text(), '')
    assert.equal((await fetch(server.url('/missing'))).status, 404)
  }
  // One of ours, and the one that asks.
  assert.equal(Number(await connections()), before + 2)
})
