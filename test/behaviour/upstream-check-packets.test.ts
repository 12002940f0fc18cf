/** `check` asks servers that speak no HTTP, and tells them from those that speak something else. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'

const stack = new AsyncDisposableStack()
after(() => stack.disposeAsync())
const certificates = new Certificates()
after(() => certificates.remove())

async function listen(server: net.Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  stack.defer(() => {
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

/** A server that sends something at once, or when it has got `after`. */
function speaking(text: string, first?: string): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    if (first === undefined) socket.write(text, 'latin1')
    else {
      let got = ''
      socket.setEncoding('latin1').on('data', (bytes: string) => {
        got += bytes
        if (got.includes(first)) socket.end(text, 'latin1')
      })
    }
  })
  return listen(server)
}

function tlsServer(options: tls.TlsOptions): Promise<number> {
  const server = tls.createServer(options)
  server.on('tlsClientError', () => {})
  return listen(server)
}

/** A FastCGI answer in two records. */
function fastcgiAnswer(head: string): string {
  const record = (type: number, text: string): string =>
    `\x01${String.fromCharCode(type)}\0\x01\0${String.fromCharCode(text.length)}\x03\0${text}\0\0\0`
  return (
    record(6, head.slice(0, 5)) +
    record(6, `${head.slice(5)}Content-Type: text/plain\r\n\r\nok`) +
    record(3, '\0'.repeat(8))
  )
}

test('each type knows its own kind', async () => {
  const { cert, key } = certificates.make('localhost')
  const groups: readonly (readonly [type: string, good: readonly number[], bad: readonly number[]])[] = [
    [
      'ssl_hello',
      [await tlsServer({ cert, key, minVersion: 'TLSv1.3' }), await tlsServer({ cert, key, maxVersion: 'TLSv1.2' })],
      [await speaking('HTTP/1.1 400 Bad Request\r\n\r\n', '\x16\x03')],
    ],
    ['mysql', [await speaking('\x4a\0\0\0\x0a8.0.36\0')], [await speaking('+OK ready\r\n')]],
    ['ajp', [await speaking('AB\0\x01\x09', '\x12\x34\0\x01\x0a')], [await speaking('AB\0\x01\x08', '\x12\x34')]],
    [
      'fastcgi',
      [
        await speaking(fastcgiAnswer(''), 'SCRIPT_NAME/ping'),
        await speaking(fastcgiAnswer('Status: 302 Found\r\n'), '/ping'),
      ],
      [
        await speaking(fastcgiAnswer('Status: 503 No\r\n'), '/ping'),
        await speaking('HTTP/1.1 200 OK\r\n\r\n', '/ping'),
      ],
    ],
  ]
  const upstreams = groups.map(
    ([type, good, bad]) => `upstream ${type} {
      ${[...good, ...bad].map((port) => `server 127.0.0.1:${port};`).join(' ')}
      check interval=30 rise=1 fall=1 timeout=2000 type=${type};
      check_fastcgi_param SCRIPT_NAME /ping;
    }`,
  )
  await using server = await startViaduct(`http {
    ${upstreams.join('\n')}
    server { listen 127.0.0.1:%%PORT_0%%; location / { check_status json; } } }`)
  const states = async (): Promise<Record<string, string>> => {
    const { servers } = (await (await fetch(server.url('/'))).json()) as { servers: { server: readonly Listed[] } }
    return Object.fromEntries(servers.server.map(({ name, status }) => [name, status]))
  }
  const expected = Object.fromEntries(
    groups.flatMap(([, good, bad]) => [
      ...good.map((port) => [`127.0.0.1:${port}`, 'up']),
      ...bad.map((port) => [`127.0.0.1:${port}`, 'down']),
    ]),
  )
  let last: Record<string, string> = {}
  await server.until('all good servers are up', async () => {
    last = await states()
    return groups.every(([, good]) => good.every((port) => last[`127.0.0.1:${port}`] === 'up'))
  })
  assert.deepEqual(last, expected)
  await server.logged(/upstream sent no ServerHello|upstream sent no TLS handshake/)
  await server.logged(/upstream sent status 503 while reading upstream/)
})

interface Listed {
  readonly name: string
  readonly status: string
}
