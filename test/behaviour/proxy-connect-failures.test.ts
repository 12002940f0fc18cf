/** Connecting to a back end fails, or does not come from where it should: what is logged, how loud, what is answered. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { H2Peer } from '../harness/h2-peer.ts'
import { Peer } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

async function status(server: Server, target: string): Promise<number> {
  const response = await fetch(server.url(target))
  await response.arrayBuffer()
  return response.status
}

/** A socket file that nobody listens on any more. */
async function deadSocket(file: string): Promise<void> {
  const server = net.createServer()
  await once(server.listen(`${file}.open`), 'listening')
  fs.linkSync(`${file}.open`, file)
  await new Promise((resolve) => server.close(resolve))
}

test('connect() that fails at once names the address', async (t) => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location /missing { proxy_pass http://unix:%%DIR%%/missing.sock; }
    location /dead { proxy_pass http://unix:%%DIR%%/dead.sock; }
    location /unreachable { proxy_pass http://255.255.255.255:81; }
    location /refused { proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /h2 { proxy_http_version 2; proxy_pass http://unix:%%DIR%%/missing.sock; }
    location /grpc { grpc_pass grpc://unix:%%DIR%%/missing.sock; }
    location /memcached { set $memcached_key a; memcached_pass unix:%%DIR%%/missing.sock; } } }`)
  const { dir } = server
  await deadSocket(path.join(dir, 'dead.sock'))
  fs.chmodSync(path.join(dir, 'dead.sock'), 0o777)
  const missing = `[crit] connect() to unix:${dir}/missing.sock failed (2: No such file or directory)`
  const cases: readonly (readonly [target: string, line: string])[] = [
    ['/missing', missing],
    ['/dead', `[error] connect() to unix:${dir}/dead.sock failed (111: Connection refused)`],
    ['/unreachable', '[error] connect() to 255.255.255.255:81 failed (101: Network is unreachable)'],
    ['/refused', '[error] connect() failed (111: Connection refused)'],
    ['/h2', missing],
    ['/grpc', missing],
    ['/memcached', missing],
  ]
  for (const [target, line] of cases) {
    await t.test(target, async () => {
      const before = server.errorLog().length
      assert.equal(await status(server, target), 502)
      const logged = server
        .errorLog()
        .slice(before)
        .replace(/(\[\w+\]) \S+ (\*\d+ )?/g, '$1 ')
      assert.ok(logged.includes(`${line} while connecting to upstream, client: `), logged)
    })
  }
})

test('bind() that fails is 500, for whatever server was next', async (t) => {
  await using peer = await Peer.start()
  await using h2 = await H2Peer.start()
  await using server = await startViaduct(`http {
    upstream two { server 127.0.0.1:${peer.port} max_fails=1; server 127.0.0.1:${peer.port} max_fails=1; }
    proxy_bind 192.0.2.77; grpc_bind 192.0.2.77:81;
    server { listen 127.0.0.1:%%PORT_0%%;
      location /two { proxy_pass http://two; }
      location /unbound { proxy_bind off; proxy_pass http://two; }
      location /h2 { proxy_http_version 2; proxy_pass http://127.0.0.1:${h2.port}; }
      location /grpc { grpc_pass grpc://127.0.0.1:${h2.port}; }
      location /taken { proxy_bind 127.0.0.1:%%PORT_0%%; proxy_pass http://two; }
      location /unix { proxy_pass http://unix:%%DIR%%/any.sock; }
      location /six { proxy_bind [::1]; proxy_pass http://two; } } }`)
  const none = '192.0.2.77) failed (99: Cannot assign requested address)'
  const cases: readonly (readonly [target: string, line: string])[] = [
    ['/two', `bind(${none}`],
    ['/h2', `bind(${none}`],
    ['/grpc', `bind(${none.replace(')', ':81)')}`],
    ['/taken', `bind(127.0.0.1:${server.port()}) failed (98: Address already in use)`],
    ['/unix', 'bind(192.0.2.77) failed (22: Invalid argument)'],
    ['/six', 'bind([::1]) failed (97: Address family not supported by protocol)'],
  ]
  for (const [target, line] of cases) {
    await t.test(target, async () => {
      const before = server.errorLog().length
      assert.equal(await status(server, target), 500)
      const logged = server.errorLog().slice(before)
      assert.ok(logged.includes(`${line} while connecting to upstream, client: `), logged)
      assert.match(logged, /\[crit\]/)
      assert.equal(logged.split('bind(').length, 2, 'once')
    })
  }
  await t.test('no server is to blame', async () => assert.equal(await status(server, '/unbound'), 200))
})

/** Asks from `localAddress`; answers with the port that the question came from. */
async function askFrom(server: Server, localAddress: string, target: string): Promise<number> {
  const socket = net.connect({ host: '127.0.0.1', port: server.port(), localAddress })
  await once(socket, 'connect')
  const port = socket.localPort!
  socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  let answer = ''
  for await (const piece of socket.setEncoding('latin1')) answer += piece as string
  assert.match(answer, /^HTTP\/1\.1 200 /)
  return port
}

test('connections come from what proxy_bind says, and are kept for no other', async () => {
  const froms: string[] = []
  await using peer = await Peer.start(({ socket }) => {
    froms.push(`${socket.remoteAddress}:${socket.remotePort}`)
    return 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
  })
  const free = net.createServer().listen(0, '127.0.0.5')
  await once(free, 'listening')
  const { port } = free.address() as net.AddressInfo
  await new Promise((resolve) => free.close(resolve))
  await using server = await startViaduct(`http { upstream back { server 127.0.0.1:${peer.port}; keepalive 8; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { proxy_pass http://back; }
      location /same { proxy_pass http://back; proxy_bind $remote_addr:$remote_port; }
      location /address { proxy_pass http://back; proxy_bind $remote_addr; }
      location /port { proxy_pass http://back; proxy_bind 127.0.0.5:${port}; }
      location /wrong { proxy_pass http://back; proxy_bind $remote_port; }
      location /empty { proxy_pass http://back; proxy_bind $http_none; } } }`)
  const client = await askFrom(server, '127.0.0.2', '/same')
  assert.equal(froms.at(-1), `127.0.0.2:${client}`)
  await askFrom(server, '127.0.0.3', '/address')
  assert.match(froms.at(-1)!, /^127\.0\.0\.3:/)
  await askFrom(server, '127.0.0.4', '/address')
  assert.match(froms.at(-1)!, /^127\.0\.0\.4:/)
  await askFrom(server, '127.0.0.1', '/port')
  assert.equal(froms.at(-1), `127.0.0.5:${port}`)
  await askFrom(server, '127.0.0.1', '/')
  assert.match(froms.at(-1)!, /^127\.0\.0\.1:/)
  assert.equal(peer.sockets.length, 5)
  const wrong = await askFrom(server, '127.0.0.1', '/wrong')
  await server.logged(new RegExp(`\\[error\\].*invalid local address "${wrong}" while connecting to upstream`))
  await askFrom(server, '127.0.0.1', '/empty')
  await askFrom(server, '127.0.0.3', '/address')
  await askFrom(server, '127.0.0.1', '/port')
  assert.equal(peer.sockets.length, 5, 'each has found its own again')
  assert.match(froms.at(-2)!, /^127\.0\.0\.3:/)
})

test('HTTP/2 connections from another address are others', async () => {
  await using peer = await H2Peer.start()
  await using server = await startViaduct(`http { upstream back { server 127.0.0.1:${peer.port}; }
    server { listen 127.0.0.1:%%PORT_0%%; location / {
      proxy_http_version 2; proxy_pass http://back; proxy_bind $remote_addr; } } }`)
  for (const from of ['127.0.0.2', '127.0.0.3', '127.0.0.2']) await askFrom(server, from, '/')
  const seen = peer.streams.map(({ connection }) => connection.socket.remoteAddress)
  assert.deepEqual(seen, ['127.0.0.2', '127.0.0.3', '127.0.0.2'])
  assert.equal(peer.connections.length, 2)
})
