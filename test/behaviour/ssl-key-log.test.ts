/** `ssl_key_log`: secrets of the connections of one server, as programs that read recorded traffic want them. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'

test('what the server logs is what the client knows', async (t) => {
  const certificates = new Certificates()
  t.after(() => fs.rmSync(certificates.dir, { recursive: true }))
  const { cert, key } = certificates.make('localhost')
  await using server = await startViaduct(
    `http {
      ssl_certificate cert.pem; ssl_certificate_key key.pem;
      server { listen 127.0.0.1:%%PORT_0%% ssl; ssl_key_log secrets.log; return 204; }
      server { listen 127.0.0.1:%%PORT_1%% ssl; return 204; }
    }`,
    { files: { 'cert.pem': cert, 'key.pem': key } },
  )
  const talk = async (n: number, version: tls.SecureVersion): Promise<string> => {
    const lines: string[] = []
    const options = { port: server.port(n), rejectUnauthorized: false, minVersion: version, maxVersion: version }
    const socket = tls.connect(options, () => socket.end('GET / HTTP/1.0\r\n\r\n'))
    socket.on('keylog', (line: Buffer) => lines.push(line.toString('latin1')))
    socket.resume()
    await new Promise((resolve) => socket.on('close', resolve))
    return lines.sort().join('')
  }
  const known = [await talk(0, 'TLSv1.2'), await talk(0, 'TLSv1.3')].join('')
  assert.match(known, /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}\n/)
  const sorted = (text: string) => text.trimEnd().split('\n').sort()
  await talk(1, 'TLSv1.3')
  await server.until('secrets', () => sorted(server.prefix.read('secrets.log')).length === sorted(known).length)
  assert.deepEqual(sorted(server.prefix.read('secrets.log')), sorted(known))
})
