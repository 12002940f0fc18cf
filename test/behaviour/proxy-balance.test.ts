/** Who is asked: weights, servers that are down or failed, backups, and `max_conns`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const conf = (servers: readonly string[], more = '') => `http { access_log %%DIR%%/access.log all;
  log_format all '$upstream_addr $upstream_status';
  upstream group { ${servers.map((one) => `server ${one};`).join(' ')} }
  server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://group; ${more} } } }`

const at = (peer: Peer, options = '') => `127.0.0.1:${peer.port} ${options}`

async function ask(server: Server, count = 1): Promise<string> {
  let text = ''
  for (let i = 0; i < count; i++) {
    const answer = await server.raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    text += answer.startsWith('HTTP/1.1 200 ') ? answer.at(-1) : `[${answer.slice(9, 12)}]`
  }
  return text
}

const named = (name: string) => Peer.start(() => reply(name))

test('weights are served smoothly', async () => {
  await using a = await named('a')
  await using b = await named('b')
  await using c = await named('c')
  await using server = await startViaduct(conf([at(a, 'weight=5'), at(b), at(c)]))
  assert.equal(await ask(server, 14), 'aabacaaaabacaa')
})

test('servers that are down are not asked', async () => {
  await using a = await named('a')
  await using b = await named('b')
  await using server = await startViaduct(conf([at(a, 'down'), at(b)]))
  assert.equal(await ask(server, 4), 'bbbb')
  assert.equal(a.sockets.length, 0)
})

test('nobody left: 502 and no attempt', async () => {
  await using a = await named('a')
  await using server = await startViaduct(conf([at(a, 'down'), at(a, 'down')]))
  assert.equal(await ask(server, 2), '[502][502]')
  await server.logged(/no live upstreams while connecting to upstream/)
  assert.match(server.accessLog(), /^group 502$/m)
})

test('backups are asked when the others have failed', async () => {
  await using broken = await Peer.start(({ socket }) => void socket.resetAndDestroy())
  await using b = await named('b')
  await using server = await startViaduct(conf([at(broken), at(b, 'backup')]))
  assert.equal(await ask(server, 3), 'bbb')
  // After one failure it is left alone.
  assert.equal(broken.requests.length, 1)
})

test('max_fails failures take a server out for fail_timeout', async () => {
  let broken = true
  await using a = await Peer.start(({ socket }) => (broken ? void socket.resetAndDestroy() : reply('a')))
  await using b = await named('b')
  await using server = await startViaduct(conf([at(a, 'max_fails=2 fail_timeout=1s'), at(b)]))
  assert.equal(await ask(server, 8), 'bbbbbbbb')
  assert.equal(a.requests.length, 2)
  await server.logged(/upstream server temporarily disabled while reading response header from upstream, client: /)
  broken = false
  await server.until('it is asked again', async () => (await ask(server)) === 'a')
})

test('max_fails=0 never takes one out', async () => {
  await using a = await Peer.start(({ socket }) => void socket.resetAndDestroy())
  await using b = await named('b')
  await using server = await startViaduct(conf([at(a, 'max_fails=0'), at(b)]))
  assert.equal(await ask(server, 8), 'bbbbbbbb')
  assert.equal(a.requests.length, 4)
})

test('a single server is asked whatever it did', async () => {
  await using a = await Peer.start(({ socket }) => void socket.resetAndDestroy())
  await using server = await startViaduct(conf([at(a)]))
  assert.equal(await ask(server, 4), '[502][502][502][502]')
  assert.equal(a.requests.length, 4)
})

test('max_conns is the most at once', async () => {
  const held: (() => void)[] = []
  await using a = await Peer.start(({ socket }) => {
    held.push(() => socket.write(reply('a')))
    return undefined
  })
  await using b = await named('b')
  await using server = await startViaduct(conf([at(a, 'max_conns=2'), at(b, 'backup')]))
  const first = [ask(server), ask(server)]
  await a.until(() => held.length === 2)
  assert.equal(await ask(server, 3), 'bbb')
  for (const go of held.splice(0)) go()
  assert.deepEqual(await Promise.all(first), ['a', 'a'])
  const third = ask(server)
  await a.until(() => held.length === 1)
  held[0]!()
  assert.equal(await third, 'a')
})
