/** proxy_store: copies of responses in files. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const MODIFIED = 'Wed, 21 Oct 2015 07:28:00 GMT'

const conf = (peer: Peer, more = '') => `user root; http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/store;
  location / { proxy_pass http://127.0.0.1:${peer.port}; proxy_store on; ${more} }
  location /named/ { proxy_pass http://127.0.0.1:${peer.port}; proxy_store %%DIR%%/other$uri.copy; ${more} } } }`

const get = (server: Server, path: string, method = 'GET') =>
  server.raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
const stored = (server: Server, file: string) => `${server.dir}/${file}`
/** Names left in the folder for temporary files. */
const temporary = (server: Server) =>
  fs.readdirSync(`${server.dir}/proxy_temp`, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())

test('a complete response is kept, with its time and the permissions asked for', async () => {
  await using peer = await Peer.start(() => reply('stored', [`Last-Modified: ${MODIFIED}`]))
  await using server = await startViaduct(conf(peer, 'proxy_store_access user:rw group:rw all:r;'))
  assert.match(await get(server, '/a/b.txt'), /stored$/)
  const file = stored(server, 'store/a/b.txt')
  assert.equal(fs.readFileSync(file, 'latin1'), 'stored')
  assert.equal(fs.statSync(file).mode & 0o777, 0o664)
  assert.equal(fs.statSync(file).mtimeMs, Date.parse(MODIFIED))
  assert.match(await get(server, '/named/x'), /stored$/)
  assert.equal(fs.readFileSync(stored(server, 'other/named/x.copy'), 'latin1'), 'stored')
  assert.deepEqual(temporary(server), [])
})

test('in chunks, and empty', async () => {
  await using peer = await Peer.start(({ line }) =>
    line.includes('empty')
      ? reply('')
      : 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
  )
  await using server = await startViaduct(conf(peer))
  await get(server, '/chunks')
  await get(server, '/empty')
  assert.equal(fs.readFileSync(stored(server, 'store/chunks'), 'latin1'), 'abc')
  assert.equal(fs.readFileSync(stored(server, 'store/empty'), 'latin1'), '')
  assert.equal(fs.statSync(stored(server, 'store/chunks')).mode & 0o777, 0o600)
})

test('what is not whole, not 200 or has no body is not kept', async () => {
  await using peer = await Peer.start(({ line, socket }) => {
    if (line.startsWith('HEAD')) return 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
    if (line.includes('404')) return reply('nothing', [], '404 Not Found')
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal')
    return undefined
  })
  await using server = await startViaduct(conf(peer))
  await get(server, '/head', 'HEAD')
  await get(server, '/404')
  await get(server, '/half')
  await server.until('no temporary file', () => temporary(server).length === 0)
  assert.equal(fs.existsSync(stored(server, 'store')), false)
})

test('a file that cannot be made costs the copy, not the response', async () => {
  await using peer = await Peer.start(() => reply('ok'))
  await using server = await startViaduct(conf(peer), { files: { store: 'a file, no folder' } })
  assert.match(await get(server, '/a'), /ok$/)
  await server.logged(/\[crit\].* mkdir\(\) ".*\/store" failed \((17|20): /)
})
