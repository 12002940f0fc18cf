/**
 * Back ends that say in TLS that they send nothing more (close_notify) while their socket stays open, and those whose socket
 * ends without that word: to nginx either is the end of what they send.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { NotifyingSocket } from '../harness/close-notify.ts'
import { disposeAll } from '../harness/dispose.ts'
import { reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
const pair = certificates.make('localhost')
const backEnds: NotifyingSocket[] = []
const servers = new Map<string, Server>()

/** What is done with each request. */
let answer: (backEnd: NotifyingSocket, request: string) => void = () => {}
const listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const backEnd = NotifyingSocket.accept(socket, { key: pair.key, cert: pair.cert })
  backEnds.push(backEnd)
  let answered = 0
  backEnd.tls.on('data', () => {
    const requests = backEnd.received.split('\r\n\r\n').slice(0, -1)
    for (const request of requests.slice(answered)) answer(backEnd, request)
    answered = requests.length
  })
})
await once(listener.listen(0, '127.0.0.1'), 'listening')
const { port } = listener.address() as net.AddressInfo
after(async () => {
  for (const backEnd of backEnds) backEnd[Symbol.dispose]()
  listener.close()
  await disposeAll(...servers.values(), certificates)
})

for (const engine of ['io_uring', 'epoll']) {
  const text = `events { ${engine === 'epoll' ? 'use epoll;' : ''} }
  http {
    upstream back { server 127.0.0.1:${port}; keepalive 4; }
    proxy_http_version 1.1; proxy_set_header Connection ''; proxy_next_upstream off;
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { proxy_pass https://back; }
      location /tunnel { proxy_pass https://back; proxy_set_header Upgrade raw; proxy_set_header Connection upgrade; }
    }
  }`
  servers.set(engine, await startViaduct(text))
}

const END = { notify: (b: NotifyingSocket) => void b.notify(), fin: (b: NotifyingSocket) => void b.socket.end() }

/** Says something, and ends in one of two ways when the kernel has it. */
function saying(text: string, end: (backEnd: NotifyingSocket) => void): typeof answer {
  return (backEnd) => backEnd.tls.write(text, 'latin1', () => end(backEnd))
}

for (const [engine, server] of servers) {
  for (const [how, end] of Object.entries(END)) {
    test(`${engine}, ${how}: a body without a length is complete`, async () => {
      answer = saying(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(300_000)}`, end)
      assert.equal((await (await fetch(server.url('/'))).text()).length, 300_000)
      const backEnd = backEnds.at(-1)!
      await server.until('it is closed', () => backEnd.gone)
    })

    test(`${engine}, ${how}: one with a length is cut, and so are chunks`, async () => {
      for (const framing of ['Content-Length: 10', 'Transfer-Encoding: chunked']) {
        const before = server.errorLog().length
        answer = saying(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n5\r\nab`, end)
        await assert.rejects(fetch(server.url('/')).then((response) => response.text()))
        const cut = /upstream prematurely closed connection while reading upstream, /
        await server.until('it is told', () => cut.test(server.errorLog().slice(before)))
      }
    })

    test(`${engine}, ${how}: without an answer it is 502`, async () => {
      for (const text of ['', 'HTTP/1.1 200 OK\r\nA: ']) {
        answer = text === '' ? end : saying(text, end)
        assert.equal((await fetch(server.url('/'))).status, 502)
      }
    })

    test(`${engine}, ${how}: a connection that is kept is not used again`, async () => {
      answer = saying(reply('kept'), () => {})
      await (await fetch(server.url('/'))).text()
      const first = backEnds.at(-1)!
      end(first)
      await server.until('it is closed', () => first.gone)
      assert.equal(await (await fetch(server.url('/'))).text(), 'kept')
      assert.notEqual(backEnds.at(-1), first)
    })

    test(`${engine}, ${how}: a tunnel ends`, async () => {
      const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n'
      answer = saying(`${head}last`, end)
      const text = await server.raw('GET /tunnel HTTP/1.1\r\nHost: x\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\n')
      assert.match(text, /^HTTP\/1\.1 101 .*\r\n\r\nlast$/s)
      await server.until('it is closed', () => backEnds.at(-1)!.gone)
    })
  }
}
