/** `resolver`: names in variables are looked up while serving, and what a request sees of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DnsServer } from '../harness/dns.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const conf = (dns: DnsServer, more = '') => `http {
  access_log off;
  resolver 127.0.0.1:${dns.port} ipv6=off;
  resolver_timeout 1s;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://$arg_h:%%PORT_1%%/; add_header X-Addr $upstream_addr always; }
    ${more}
  }
  server {
    listen 127.0.0.1:%%PORT_1%%;
    listen 127.0.0.2:%%PORT_1%%;
    location / { return 200 $host; }
  }
}`

async function ask(server: Server, host: string): Promise<string> {
  const response = await fetch(server.url(`/?h=${host}`))
  const addresses = response.headers.get('x-addr')?.replaceAll(`:${server.port(1)}`, '')
  return `${response.status} ${addresses}`
}

test('a name, an alias, a cached name, several addresses', async () => {
  await using dns = await DnsServer.start()
  await using server = await startViaduct(conf(dns))
  dns.set('a.test', { A: ['127.0.0.1'] })
  dns.set('b.test', { CNAME: 'a.test' })
  dns.set('m.test', { A: ['127.0.0.1', '127.0.0.2'] })
  assert.equal(await ask(server, 'a.test'), '200 127.0.0.1')
  assert.equal(await ask(server, 'a.test'), '200 127.0.0.1')
  assert.equal(dns.asked.length, 1)
  assert.equal(await ask(server, 'b.test'), '200 127.0.0.1')
  assert.equal(dns.asked.length, 2)
  const seen = new Set<string>()
  for (let i = 0; i < 40; i++) seen.add(await ask(server, 'm.test'))
  assert.deepEqual([...seen].toSorted(), ['200 127.0.0.1', '200 127.0.0.2'])
})

test('an address that refuses is passed over, on every request anew', async () => {
  await using dns = await DnsServer.start()
  await using server = await startViaduct(conf(dns))
  dns.set('m.test', { A: ['127.0.0.9', '127.0.0.1'] })
  const first = await ask(server, 'm.test')
  assert.equal(first, '200 127.0.0.9, 127.0.0.1')
  await server.until('the refusing address again', async () => (await ask(server, 'm.test')) === first)
})

test('failures are 502, and logged in the words of nginx', async () => {
  await using dns = await DnsServer.start()
  await using server = await startViaduct(conf(dns))
  dns.set('fail.test', { code: 2 })
  dns.set('silent.test', { silent: true })
  assert.equal(await ask(server, 'none.test'), '502 undefined')
  assert.match(server.errorLog(), /none\.test could not be resolved \(3: Host not found\), client: 127\.0\.0\.1/)
  await ask(server, 'fail.test')
  assert.match(server.errorLog(), /fail\.test could not be resolved \(2: Server failure\)/)
  await ask(server, 'silent.test')
  assert.match(server.errorLog(), /silent\.test could not be resolved \(110: Operation timed out\)/)
})

test('who comes after all others have given up has the name asked for again at once', async () => {
  await using dns = await DnsServer.start()
  await using server = await startViaduct(conf(dns))
  dns.set('a.test', { silent: true })
  assert.match(await ask(server, 'a.test'), /^502 /)
  dns.set('a.test', { A: ['127.0.0.1'] })
  assert.equal(await ask(server, 'a.test'), '200 127.0.0.1')
  assert.equal(dns.asked.length, 2)
})

test('a request that waits for a name is served over a reload', async () => {
  await using dns = await DnsServer.start()
  await using server = await startViaduct(conf(dns).replace('resolver_timeout 1s', 'resolver_timeout 30s'))
  const answer = dns.answerer
  let late: (() => void) | undefined
  dns.set('a.test', { A: ['127.0.0.1'] })
  const held = Promise.withResolvers<void>()
  dns.answerer = (_, query) => {
    late = () => dns.reply(query)
    held.resolve()
    return undefined
  }
  const waiting = ask(server, 'a.test')
  await held.promise
  dns.answerer = answer
  server.signal('SIGHUP')
  await server.logged(/reconfiguring/)
  dns.set('b.test', { A: ['127.0.0.1'] })
  assert.equal(await ask(server, 'b.test'), '200 127.0.0.1')
  late?.()
  assert.equal(await waiting, '200 127.0.0.1')
})
