/** stub_status: the numbers of all workers together, over reloads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `worker_processes 2;
http { server { listen 127.0.0.1:%%PORT_0%%;
  location /status { stub_status; }
  location /variables { return 200 "$connections_active $connections_reading $connections_writing $connections_waiting"; }
} }`

async function status(server: Server): Promise<number[]> {
  const text = await server.raw('GET /status HTTP/1.0\r\n\r\n')
  return [...text.slice(text.indexOf('\r\n\r\n')).matchAll(/\d+/g)].map(Number)
}

test('connections and requests of all workers are counted', async () => {
  await using server = await startViaduct(CONF)
  // Active; accepted, handled, requests; reading, writing, waiting.
  assert.deepEqual(await status(server), [1, 1, 1, 1, 0, 1, 0])
  using idle = await server.connect()
  idle.write('GET /variables HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.match(await idle.until(/\d \d \d \d$/), /1 0 1 0$/)
  assert.deepEqual(await status(server), [2, 3, 3, 3, 0, 1, 1])
  idle.write('GET ')
  await server.until('a head being read', async () => (await status(server))[4] === 1)
  const [, , , before] = await status(server)
  await server.reload()
  const after = await status(server)
  assert.equal(after[0], 2)
  assert.equal(after[3], before! + 1)
})
