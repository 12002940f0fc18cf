/** Certificates that are renewed: used without a reload once they fit to their keys, and not before. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'
import { askTls } from '../harness/tls-client.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const before = certificates.make('before')
const later = certificates.make('later')
const files = { 'own.crt': before.cert, 'own.key': before.key }

for (const mode of ['on', 'off']) {
  test(`renewed files are used when both fit, with master_process ${mode}`, async () => {
    const conf = `master_process ${mode}; http { server { listen 127.0.0.1:%%PORT_0%% ssl;
      ssl_certificate own.crt; ssl_certificate_key own.key; return 200 ok; } }`
    await using server = await startViaduct(conf, { files })
    const subject = async () => (await askTls(server.port())).subject
    assert.equal(await subject(), 'before')
    fs.writeFileSync(server.prefix.path('own.crt'), 'garbage')
    touch(server.prefix.path('own.crt'), 1)
    await server.logged(
      /\[error\].* renewed files are not used, the old ones stay: cannot load certificate ".*own\.crt"/,
    )
    assert.equal(await subject(), 'before')
    fs.writeFileSync(server.prefix.path('own.crt'), later.cert)
    touch(server.prefix.path('own.crt'), 2)
    await server.logged(/the old ones stay: SSL_CTX_use_PrivateKey\(".*own\.key"\) failed .*key values mismatch/)
    assert.equal(await subject(), 'before')
    fs.writeFileSync(server.prefix.path('new.key'), later.key)
    fs.renameSync(server.prefix.path('new.key'), server.prefix.path('own.key'))
    await server.until('the renewed certificate', async () => (await subject()) === 'later')
    await server.logged(/\[notice\].* renewed files are used from now on: .*own\.crt, .*own\.key/)
  })
}

test('a connection that is open outlasts the renewal', async () => {
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%% ssl; listen 127.0.0.1:%%PORT_1%%;
      ssl_certificate own.crt; ssl_certificate_key own.key; return 200 ok; } }`,
    { files },
  )
  const client = await server.connect(1)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until(/ok$/)
  for (const [name, text] of [
    ['own.crt', later.cert],
    ['own.key', later.key],
  ] as const) {
    fs.writeFileSync(server.prefix.path(`new.${name}`), text)
    fs.renameSync(server.prefix.path(`new.${name}`), server.prefix.path(name))
  }
  await server.until('the renewed certificate', async () => (await askTls(server.port())).subject === 'later')
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  assert.match(await client.rest(), /ok[\s\S]*ok$/)
})

/** Files are told apart by their time to the second: a test does not wait for the next one. */
function touch(path: string, seconds: number): void {
  const time = Date.now() / 1000 + seconds
  fs.utimesSync(path, time, time)
}
