/** `server name resolve`: the servers of a group follow DNS while it serves, and over reloads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameServersOf } from '../../src/tree/resolver.ts'
import { DnsServer } from '../harness/dns.ts'
import { Prefix, type Server, startViaduct, withDefaults } from '../harness/server.ts'

const conf = (dns: DnsServer, upstream: string, port = 1) => `http {
  access_log off;
  resolver 127.0.0.1:${dns.port} ipv6=off;
  resolver_timeout 1s;
  upstream u { zone z 1m; ${upstream} }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://u; add_header X-Addr $upstream_addr always; }
  }
  server {
    listen 127.0.0.1:%%PORT_${port}%%;
    listen 127.0.0.2:%%PORT_${port}%%;
    listen 127.0.0.3:%%PORT_2%%;
    location / { return 200 $server_addr; }
  }
}`

async function ask(server: Server): Promise<string> {
  const response = await fetch(server.url('/'))
  await response.text()
  return `${response.headers.get('x-addr')}`.replaceAll(/:\d+/g, '')
}

const becomes = (server: Server, wanted: string): Promise<void> =>
  server.until(wanted, async () => (await ask(server)) === wanted)

test('servers come, change and go with the answers; a failure keeps them', async () => {
  await using dns = await DnsServer.start()
  dns.set('a.test', { A: ['127.0.0.1'], ttl: 1 })
  await using server = await startViaduct(conf(dns, 'server a.test:%%PORT_1%% resolve;'))
  await becomes(server, '127.0.0.1')
  dns.set('a.test', { A: ['127.0.0.2'], ttl: 1 })
  await becomes(server, '127.0.0.2')
  dns.set('a.test', { code: 2 })
  await server.logged(/a\.test could not be resolved \(2: Server failure\)/)
  assert.equal(await ask(server), '127.0.0.2')
  dns.set('a.test', { CNAME: 'b.test', ttl: 1 })
  dns.set('b.test', { A: ['127.0.0.1'], ttl: 1 })
  await becomes(server, '127.0.0.1')
  dns.set('b.test', {})
  await becomes(server, 'u')
  assert.match(server.errorLog(), /no live upstreams while connecting to upstream/)
})

test('a name that does not exist any more keeps its servers, and that is logged', async () => {
  await using dns = await DnsServer.start()
  dns.set('a.test', { A: ['127.0.0.1'], ttl: 1 })
  await using server = await startViaduct(conf(dns, 'server a.test:%%PORT_1%% resolve;'))
  await becomes(server, '127.0.0.1')
  dns.set('a.test', { code: 3 })
  await server.logged(/a\.test could not be resolved \(3: Host not found\)/)
  assert.equal(await ask(server), '127.0.0.1')
})

test('fixed servers and names stand side by side, and a name may be a backup', async () => {
  await using dns = await DnsServer.start()
  dns.set('a.test', { A: ['127.0.0.2'] })
  const servers = 'server 127.0.0.9:%%PORT_1%% max_fails=0; server a.test:%%PORT_1%% resolve backup;'
  await using server = await startViaduct(conf(dns, servers))
  await becomes(server, '127.0.0.9, 127.0.0.2')
})

test('a reload keeps the servers, with another port if need be, while DNS is silent', async () => {
  await using dns = await DnsServer.start()
  dns.set('a.test', { A: ['127.0.0.1'], ttl: 1 })
  await using server = await startViaduct(conf(dns, 'server a.test:%%PORT_1%% resolve;'))
  await becomes(server, '127.0.0.1')
  dns.set('a.test', { silent: true })
  await server.reload(conf(dns, 'server a.test:%%PORT_2%% resolve;', 2).replace('listen 127.0.0.3:%%PORT_2%%;', ''))
  assert.equal(await ask(server), '127.0.0.1')
  dns.set('a.test', { A: ['127.0.0.2'], ttl: 1 })
  await becomes(server, '127.0.0.2')
})

test('a reload asks anew what was to hold for long, and whom it names', async () => {
  await using dns = await DnsServer.start()
  await using other = await DnsServer.start()
  const text = (from: DnsServer) => conf(from, 'server a.test:%%PORT_1%% resolve;')
  dns.set('a.test', { A: ['127.0.0.1'], ttl: 3600 })
  other.set('a.test', { A: ['127.0.0.1'], ttl: 3600 })
  await using server = await startViaduct(text(dns))
  await becomes(server, '127.0.0.1')
  dns.set('a.test', { A: ['127.0.0.2'], ttl: 3600 })
  await server.reload(text(dns))
  await becomes(server, '127.0.0.2')
  await server.reload(text(other))
  await becomes(server, '127.0.0.1')
})

test('what is known of a server survives a reload', async () => {
  await using dns = await DnsServer.start()
  dns.set('a.test', { A: ['127.0.0.9', '127.0.0.1'], ttl: 600 })
  const text = conf(dns, 'server a.test:%%PORT_1%% resolve fail_timeout=600s;')
  await using server = await startViaduct(text)
  await becomes(server, '127.0.0.9, 127.0.0.1')
  await server.reload(text)
  for (let i = 0; i < 4; i++) assert.equal(await ask(server), '127.0.0.1')
})

test('a service: the lowest priority serves, the others stand by', async () => {
  await using dns = await DnsServer.start()
  dns.set('a.test', { A: ['127.0.0.1'], ttl: 1 })
  dns.set('b.test', { A: ['127.0.0.3'], ttl: 1 })
  // A name that is not there is asked for again after a while, a failure soon.
  dns.set('_http._tcp.s.test', { code: 2 })
  await using server = await startViaduct(conf(dns, 'server s.test service=http resolve max_fails=0;'))
  const [first, second] = [`1 5 ${server.port(1)} a.test`, `2 5 ${server.port(2)} b.test`]
  dns.set('_http._tcp.s.test', { SRV: [first, second], ttl: 1 })
  await becomes(server, '127.0.0.1')
  dns.set('a.test', { A: ['127.0.0.9'], ttl: 1 })
  await becomes(server, '127.0.0.9, 127.0.0.3')
  dns.set('_http._tcp.s.test', { SRV: [second], ttl: 1 })
  await becomes(server, '127.0.0.3')
  dns.set('b.test', { code: 2 })
  await server.logged(/b\.test could not be resolved \(2: Server failure\) while resolving service http of s\.test/)
  await server.logged(/service http of s\.test could not be resolved \(2: Server failure\)/)
  assert.equal(await ask(server), '127.0.0.3')
})

test('the keepalive connections of a name are taken over by a reload', async () => {
  await using dns = await DnsServer.start()
  dns.set('a.test', { A: ['127.0.0.1'], ttl: 600 })
  const text = conf(dns, 'server a.test:%%PORT_1%% resolve; keepalive 4;')
    .replace('proxy_pass http://u;', 'proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "";')
    .replace('return 200 $server_addr;', 'return 200 $connection_requests;')
  await using server = await startViaduct(text)
  await becomes(server, '127.0.0.1')
  const count = async (): Promise<number> => Number(await (await fetch(server.url('/'))).text())
  const before = await count()
  await server.reload(text)
  assert.equal(await count(), before + 1)
})

const refused: readonly (readonly [string, string])[] = [
  ['upstream u { server a.test service=http; }', 'service upstream "a.test" requires "resolve" parameter'],
  ['upstream u { server a.test:80 service=http resolve; }', 'service upstream "a.test:80" may not have port'],
  ['upstream u { server 127.0.0.1 service=http resolve; }', 'service upstream "127.0.0.1" requires domain name'],
  ['upstream u { server a.test service= resolve; }', 'service is empty'],
]

test('a group without zone gets one, one without resolver asks the name servers of the system', async () => {
  await using dns = await DnsServer.start()
  dns.set('a.test', { A: ['127.0.0.1'], ttl: 1 })
  await using server = await startViaduct(
    conf(dns, 'server a.test:%%PORT_1%% resolve; server a.test:%%PORT_1%% resolve backup;').replace('zone z 1m;', ''),
  )
  await becomes(server, '127.0.0.1')
  await server.reload()
  assert.equal(await ask(server), '127.0.0.1')
  const text = 'upstream u { server a.test resolve; } server { listen 127.0.0.1:%%PORT_0%%; }'
  await using prefix = await Prefix.create(withDefaults(`http { ${text} }`))
  const { code, stderr } = await prefix.run(['-t'])
  assert.equal(code, 0)
  assert.match(
    stderr,
    /\[warn\] no resolver defined .* in upstream "u", the name servers of \/etc\/resolv.conf are asked/,
  )
})

test('name servers of the system', () => {
  const hosts = (text: string) => nameServersOf(text).map(({ name }) => name)
  assert.deepEqual(hosts('# nameserver 1.1.1.1\nnameserver 192.0.2.1\nnameserver\t::1 # x\nsearch a.test\n'), [
    '192.0.2.1:53',
    '[::1]:53',
  ])
  assert.deepEqual(hosts('nameserver fe80::1%eth0\noptions rotate'), ['127.0.0.1:53'])
})

test('what is refused', async () => {
  for (const [text, message] of refused) {
    await using prefix = await Prefix.create(`events { } http { ${text} server { listen 127.0.0.1:%%PORT_0%%; } }`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1, text)
    assert.ok(stderr.includes(`[emerg] ${prefix.expand(message)}`), stderr)
  }
})
