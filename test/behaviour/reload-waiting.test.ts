/** Connections that wait over a reload: what no request decides is as the new configuration says, and nothing read is lost. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { Client, startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
after(() => certificates.remove())

test('limits of heads are those of the server that the name means now', async () => {
  const { certFile, keyFile } = certificates.make('localhost')
  const conf = (limit: string): string => `http { ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name other.test; return 204; }
    server { listen 127.0.0.1:%%PORT_0%% ssl; server_name a.test; large_client_header_buffers ${limit}; return 200 "${limit}."; } }`
  await using server = await startViaduct(conf('4 1k'))
  const socket = tls.connect({ port: server.port(), servername: 'a.test', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  using client = new Client(socket)
  client.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await client.until(/4 1k\.$/)
  await server.reload(conf('4 8k'))
  client.write(`GET / HTTP/1.1\r\nHost: a.test\r\nX-Long: ${'x'.repeat(4000)}\r\n\r\n`)
  await client.until(/4 8k\.$/)
  await server.reload(conf('4 1k'))
  client.write(`GET / HTTP/1.1\r\nHost: a.test\r\nX-Long: ${'x'.repeat(4000)}\r\n\r\n`)
  assert.match(await client.rest(), /\r\n\r\n<html>\r\n<head><title>400 /)
})

test('a head of which a part is there is read on', async () => {
  const conf = (
    text: string,
  ): string => `http { server { listen 127.0.0.1:%%PORT_0%%; location / { return 200 ${text}; }
    location /reading { stub_status; } } }`
  await using server = await startViaduct(conf('first'))
  using client = await server.connect()
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until(/first$/)
  for (const part of ['GET / HTTP/1.1\r\n', 'Host: x\r\n']) {
    client.write(part)
    await server.until('it is being read', async () =>
      /Reading: 1 /.test(await server.raw('GET /reading HTTP/1.0\r\n\r\n')),
    )
    await server.reload(conf(`after-${part.length}`))
  }
  client.write('\r\n')
  await client.until(/after-9$/)
})
