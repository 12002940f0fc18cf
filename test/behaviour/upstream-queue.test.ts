/** `queue`: requests wait when no server can take them, in order, no more than may and no longer than they may. */
import assert from 'node:assert/strict'
import type net from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { disposeAll } from '../harness/dispose.ts'
import { Peer, type PeerRequest, reply } from '../harness/peer.ts'
import { type Client, type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  log_format queue "$uri $upstream_status [$upstream_queue_time]";
  access_log %%DIR%%/access.log queue;
  upstream u { server 127.0.0.1:A max_conns=1; queue 2; }
  upstream brief { server 127.0.0.1:A max_conns=1; server 127.0.0.1:B max_conns=1 backup; queue 9 timeout=50ms; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://u; }
    location /brief { proxy_pass http://brief; }
  }
}`

let peer: Peer
let backup: Peer
let server: Server
let held: PeerRequest[] = []

before(async () => {
  const hold = (request: PeerRequest): undefined => {
    held.push(request)
  }
  peer = await Peer.start(hold)
  backup = await Peer.start(hold)
  server = await startViaduct(CONF.replaceAll(':A', `:${peer.port}`).replaceAll(':B', `:${backup.port}`))
})
beforeEach(() => {
  held = []
})
after(() => disposeAll(server, peer, backup))

async function ask(target: string): Promise<Client> {
  const client = await server.connect()
  client.write(`GET ${target} HTTP/1.0\r\n\r\n`)
  return client
}

async function arrived(count: number): Promise<net.Socket> {
  await server.until(`${count} requests at the back end`, () => held.length === count)
  return held[count - 1]!.socket
}

test('those who wait go in their order, and what is too much is refused', async () => {
  const clients = [await ask('/1')]
  const first = await arrived(1)
  for (const target of ['/2', '/3']) {
    clients.push(await ask(target))
    // The next one must come later, to whichever place.
    await server.logged(new RegExp(`"GET ${target} `))
  }
  const refused = await ask('/4')
  assert.match(await refused.rest(), /^HTTP\/1\.1 502 /)
  await server.logged(/\[error\] .* upstream queue is full while connecting to upstream, client: /)
  first.write(reply('one'))
  assert.match(await clients[0]!.rest(), /one$/)
  ;(await arrived(2)).write(reply('two'))
  assert.match(await clients[1]!.rest(), /two$/)
  ;(await arrived(3)).write(reply('three'))
  assert.match(await clients[2]!.rest(), /three$/)
  assert.deepEqual(
    held.map(({ line }) => line.split(' ')[1]),
    ['/1', '/2', '/3'],
  )
  await server.until('all are logged', () => /\/3 200/.test(server.accessLog()))
  assert.match(server.accessLog(), /^\/1 200 \[-\]$/m)
  assert.match(server.accessLog(), /^\/2 200 \[\d\.\d{3}\]$/m)
  assert.match(server.accessLog(), /^\/4 502 \[-\]$/m)
})

test('a client that leaves gives up its place', async () => {
  const first = await ask('/5')
  const socket = await arrived(1)
  const gone = await ask('/gone')
  const second = await ask('/6')
  gone.close()
  await server.until('it left', () => /\/gone /.test(server.accessLog()))
  socket.write(reply('x'))
  assert.match(await first.rest(), /x$/)
  ;(await arrived(2)).write(reply('y'))
  assert.match(await second.rest(), /y$/)
  assert.equal(held[1]!.line, 'GET /6 HTTP/1.1')
})

test('backups are busy too, and the time to wait ends', async () => {
  const clients = [await ask('/brief/1'), await ask('/brief/2')]
  await arrived(2)
  const late = await ask('/brief/3')
  assert.match(await late.rest(), /^HTTP\/1\.1 502 /)
  await server.logged(/upstream queue timed out while connecting to upstream/)
  await server.until('it is logged', () => /^\/brief\/3 502 \[0\.[01]\d\d\]$/m.test(server.accessLog()))
  for (const { socket } of held) socket.write(reply('z'))
  for (const client of clients) assert.match(await client.rest(), /z$/)
})

test('a server that one worker gives up is taken by requests that wait in another', async () => {
  await using quick = await Peer.start(() => reply('ok'))
  const conf = `
    worker_processes 2;
    http {
      upstream shared { zone shared 64k; server 127.0.0.1:${quick.port} max_conns=1; queue 40; }
      server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://shared; } }
    }`
  await using both = await startViaduct(conf)
  const answers = await Promise.all(Array.from({ length: 40 }, () => both.raw('GET / HTTP/1.0\r\n\r\n')))
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 200 /)
})
