/**
 * A back end that ends before its response is whole, and a client that is slow: it gets all that has come, and then the end, by
 * which it knows that it is not all.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

/** More than the kernel keeps for two connections. */
const SENT = 24_000_000
const HEADS: Readonly<Record<string, string>> = {
  '/length': `Content-Length: ${SENT + 100}\r\n`,
  '/chunked': `Transfer-Encoding: chunked\r\n`,
}

async function startBackEnd(): Promise<net.Server> {
  const body = Buffer.alloc(SENT, 'x')
  const back = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (request: Buffer) => {
      const path = request.latin1Slice().split(' ')[1]!
      socket.write(`HTTP/1.1 200 OK\r\n${HEADS[path]!}\r\n`)
      if (path === '/chunked') socket.write(`${(SENT + 100).toString(16)}\r\n`)
      socket.end(body)
    })
  })
  await once(back.listen(0, '127.0.0.1'), 'listening')
  return back
}

for (const { where, waits } of [
  { where: '/', waits: true },
  { where: '/small/', waits: false },
  { where: '/unbuffered/', waits: false },
]) {
  test(`what has come of a response that breaks off is the client's: ${where}`, async () => {
    await using back = await startBackEnd()
    const pass = `proxy_pass http://127.0.0.1:${(back.address() as net.AddressInfo).port}/;`
    await using server = await startViaduct(`http {
      proxy_http_version 1.1; proxy_temp_path %%DIR%%/proxy;
      server { listen 127.0.0.1:%%PORT_0%%;
        location / { ${pass} }
        location /small/ { ${pass} proxy_max_temp_file_size 1m; }
        location /unbuffered/ { ${pass} proxy_buffering off; } } }`)
    for (const [count, path] of ['/length', '/chunked'].entries()) {
      const client = net.connect({ port: server.port(), host: '127.0.0.1' })
      client.write(`GET ${where}${path.slice(1)} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await once(client, 'readable')
      // Where all of it is kept the back end has ended before the client goes on.
      const ended = (): number =>
        server.errorLog().match(/prematurely closed connection while reading upstream/g)?.length ?? 0
      if (waits) await server.until('the back end has ended', () => ended() === count + 1)
      let size = 0
      let tail = ''
      // The head may be a piece of its own.
      let head = ''
      for await (const piece of client as AsyncIterable<Buffer>) {
        if (!head.includes('\r\n\r\n')) {
          head += piece.latin1Slice()
          size = head.length - (head.indexOf('\r\n\r\n') + 4)
        } else size += piece.length
        tail = (tail + piece.subarray(-20).toString('latin1')).slice(-20)
      }
      assert.ok(path === '/length' ? size === SENT : size > SENT, `${size} bytes`)
      assert.doesNotMatch(tail, /\r\n0\r\n\r\n$/)
      assert.equal(ended(), count + 1)
    }
  })
}
