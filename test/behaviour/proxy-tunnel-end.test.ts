/** What a back end wrote before it ended a tunnel reaches the client to the last byte; a client that reads nothing does not keep it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n'
const UPGRADE = 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n'
const SIZE = 16_000_000

const conf = (
  backEnd: net.Server,
  more = '',
) => `http { access_log %%DIR%%/access.log; server { listen 127.0.0.1:%%PORT_0%%;
  location / {
    proxy_pass http://127.0.0.1:${(backEnd.address() as net.AddressInfo).port}; proxy_http_version 1.1; ${more}
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; } } }`

async function talkingBackEnd(): Promise<net.Server> {
  const backEnd = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(SWITCH)
      socket.end(Buffer.alloc(SIZE, 'x'))
    })
  })
  await once(backEnd.listen(0, '127.0.0.1'), 'listening')
  return backEnd
}

test('the last bytes of the back end arrive', async () => {
  const backEnd = await talkingBackEnd()
  await using server = await startViaduct(conf(backEnd))
  const client = await server.connect()
  client.write(UPGRADE)
  await client.until(/\r\n\r\n/)
  client.socket.pause()
  await new Promise((resolve) => setImmediate(resolve))
  client.socket.resume()
  const all = await client.rest()
  assert.equal(all.length - all.indexOf('\r\n\r\n') - 4, SIZE)
  backEnd.close()
})

test('a client that reads nothing is left after the time-out', async () => {
  const backEnd = await talkingBackEnd()
  await using server = await startViaduct(
    conf(backEnd, 'proxy_read_timeout 200ms; proxy_send_timeout 200ms;').replace(
      'http {',
      'http { send_timeout 200ms;',
    ),
  )
  const client = await server.connect()
  client.socket.pause()
  client.write(UPGRADE)
  await server.until('the tunnel is logged', () => /" 101 \d+/.test(server.accessLog()))
  client.socket.resume()
  const all = await client.rest()
  assert.ok(all.length < SIZE)
  backEnd.close()
})
