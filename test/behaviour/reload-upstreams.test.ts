/** Groups of servers over reloads: what is known of them holds as long as somebody looks after it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const ask = (server: Server): Promise<string> => server.raw('GET / HTTP/1.0\r\n\r\n')

test('a server that failed its checks gets requests when it is not checked any more, and is checked anew', async () => {
  await using peer = await Peer.start(({ line }) => (line.includes('/check') ? reply('', [], '500 No') : reply('well')))
  const conf = (check: string): string => `http { upstream u { zone u 64k; server 127.0.0.1:${peer.port}; }
    server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://u; ${check} } } }`
  const check = 'health_check uri=/check interval=100ms mandatory;'
  await using server = await startViaduct(conf(check))
  await server.logged(/peer is unhealthy/)
  assert.match(await ask(server), / 502 /)
  await server.reload(conf(check.replace('100ms', '1h')))
  assert.match(await ask(server), / 502 /)
  await server.reload(conf(''))
  assert.match(await ask(server), /well$/)
  await server.reload(conf(check))
  // A mandatory check comes before requests, as if there never had been one.
  assert.match(await ask(server), / 502 /)
})

test('a group may grow by one server with each reload', async () => {
  await using peer = await Peer.start(() => reply('well'))
  const conf = (count: number): string => {
    const others = Array.from({ length: count }, (_, i) => `server 127.0.0.2:${i + 1} down;`).join(' ')
    return `http { upstream u { zone u 32k; ${others} server 127.0.0.1:${peer.port} weight=2; }
      server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://u; } } }`
  }
  await using server = await startViaduct(conf(60))
  for (let count = 61; count < 68; count++) await server.reload(conf(count))
  assert.match(await ask(server), /well$/)
})
