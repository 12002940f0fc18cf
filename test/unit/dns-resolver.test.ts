/** The resolver against a name server of the suite: halves, aliases, memory, failures, several servers, forgeries. */
import assert from 'node:assert/strict'
import { before, mock, test } from 'node:test'
import { clock, SYSTEM_TIME } from '../../src/lib/clock.ts'
import { ErrorLog } from '../../src/log/error-log.ts'
import type { ServiceTarget } from '../../src/net/dns-service.ts'
import { Resolver, type ResolverOptions } from '../../src/net/resolver.ts'
import { type Asked, address, DnsServer, record, response, TYPES } from '../harness/dns.ts'
import { freePorts } from '../harness/ports.ts'

/** Timers are this much late at most. */
const TICK_MS = 16
/** Time stands still unless a test moves it. */
let now = 1_000_000

before(() => {
  clock.setSource({ ...SYSTEM_TIME, monotonic: () => now })
  mock.timers.enable({ apis: ['setTimeout'] })
})

function advance(ms: number): void {
  now += ms
  clock.update()
  mock.timers.tick(ms)
}

interface Fixture extends AsyncDisposable {
  readonly dns: DnsServer
  readonly resolver: Resolver
  readonly log: string[]
  readonly lookup: (name: string) => Promise<string>
}

async function fixture(options: Partial<ResolverOptions> = {}, timeoutMs = 30_000): Promise<Fixture> {
  const dns = await DnsServer.start()
  const log: string[] = []
  const errorLog = new ErrorLog([{ level: 8, target: { writeLine: (_, line) => void log.push(line) } }])
  const servers = [serverAt(dns.port)]
  const resolver = new Resolver({ servers, validMs: 0, ipv4: true, ipv6: true, ...options }, timeoutMs, errorLog)
  return {
    dns,
    resolver,
    log,
    lookup: (name) =>
      new Promise((resolve) =>
        resolver.resolve(name, { onResolved: (found, error) => resolve(error || found.join(' ')) }),
      ),
    async [Symbol.asyncDispose]() {
      resolver.close()
      await dns[Symbol.asyncDispose]()
    },
  }
}

const serverAt = (port: number) => ({ host: '127.0.0.1', port, name: `127.0.0.1:${port}` })
const typesOf = (asked: readonly Asked[]): string => asked.map(({ name, type }) => `${name}/${type}`).join(' ')

test('both families, one lookup for all who ask, and memory for as long as the answer says', async () => {
  await using f = await fixture()
  f.dns.set('a.test', { A: ['10.0.0.1', '10.0.0.2'], AAAA: ['fe80::1'], ttl: 5 })
  const both = await Promise.all([f.lookup('a.test'), f.lookup('A.TEST.')])
  assert.deepEqual(both, ['10.0.0.1 10.0.0.2 fe80::1', '10.0.0.1 10.0.0.2 fe80::1'])
  assert.equal(typesOf(f.dns.asked), 'a.test/1 a.test/28')
  assert.deepEqual(f.resolver.known('a.test')?.toSorted(), ['10.0.0.1', '10.0.0.2', 'fe80::1'])
  advance(4999)
  assert.ok(f.resolver.known('a.test'))
  advance(1)
  assert.equal(f.resolver.known('a.test'), undefined)
  f.dns.set('a.test', { A: ['10.0.0.9'] })
  assert.equal(await f.lookup('a.test'), '10.0.0.9')
})

test('`valid` replaces what the answer says, and 0 seconds are no memory', async () => {
  await using f = await fixture({ validMs: 2000 })
  f.dns.set('a.test', { A: ['10.0.0.1'], ttl: 600 })
  await f.lookup('a.test')
  advance(2000)
  assert.equal(f.resolver.known('a.test'), undefined)
  await using g = await fixture({ ipv6: false })
  g.dns.set('a.test', { A: ['10.0.0.1'], ttl: 0 })
  assert.equal(await g.lookup('a.test'), '10.0.0.1')
  assert.equal(g.resolver.known('a.test'), undefined)
})

test('known addresses begin anywhere', async () => {
  await using f = await fixture({ ipv6: false })
  f.dns.set('a.test', { A: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] })
  await f.lookup('a.test')
  const firsts = new Set(Array.from({ length: 200 }, () => f.resolver.known('a.test')?.[0]))
  assert.deepEqual([...firsts].toSorted(), ['10.0.0.1', '10.0.0.2', '10.0.0.3'])
})

test('one family alone', async () => {
  await using f = await fixture({ ipv4: false })
  f.dns.set('a.test', { A: ['10.0.0.1'], AAAA: ['fe80::1'] })
  assert.equal(await f.lookup('a.test'), 'fe80::1')
  assert.equal(typesOf(f.dns.asked), 'a.test/28')
})

test('aliases without addresses are followed, and remembered', async () => {
  await using f = await fixture()
  f.dns.set('a.test', { CNAME: 'b.test' })
  f.dns.set('b.test', { A: ['10.0.0.1'] })
  assert.equal(await f.lookup('a.test'), '10.0.0.1')
  assert.deepEqual(f.resolver.known('a.test'), ['10.0.0.1'])
  assert.equal(f.dns.asked.length, 4)
  f.dns.set('x.test', { CNAME: 'y.test' })
  f.dns.set('y.test', { CNAME: 'x.test' })
  assert.equal(await f.lookup('x.test'), '3: Host not found')
  f.dns.set('r.test', { CNAME: '.' })
  assert.equal(await f.lookup('r.test'), '3: Host not found')
})

test('failures: numbers and texts of nginx, not remembered', async () => {
  await using f = await fixture()
  const texts: string[] = []
  for (const code of [2, 3, 4, 5]) {
    f.dns.set('a.test', { code })
    texts.push(await f.lookup('a.test'))
  }
  f.dns.set('a.test', {})
  texts.push(await f.lookup('a.test'), await f.lookup('..'))
  assert.deepEqual(texts, [
    '2: Server failure',
    '3: Host not found',
    '4: Unimplemented',
    '5: Operation refused',
    '3: Host not found',
    '3: Host not found',
  ])
  f.dns.set('a.test', { A: ['10.0.0.1'] })
  assert.equal(await f.lookup('a.test'), '10.0.0.1')
})

test('a failure of one half fails the name, an empty half does not', async () => {
  await using f = await fixture()
  f.dns.answerer = (asked, query) =>
    asked.type === 28 ? response(query, [], { code: 2 }) : response(query, [address(asked.name, '10.0.0.1')])
  assert.equal(await f.lookup('a.test'), '2: Server failure')
  f.dns.answerer = (asked, query) => response(query, asked.type === 28 ? [] : [address(asked.name, '10.0.0.1')])
  assert.equal(await f.lookup('a.test'), '10.0.0.1')
})

test('answers that do not fit come over TCP', async () => {
  await using f = await fixture()
  f.dns.set('a.test', { A: ['10.0.0.1'], AAAA: ['fe80::1'], truncated: true })
  assert.equal(await f.lookup('a.test'), '10.0.0.1 fe80::1')
  assert.deepEqual(f.dns.asked.map(({ tcp }) => tcp).toSorted(), [false, false, true, true])
})

test('queries come from random ports with random ids', async () => {
  await using f = await fixture({ ipv6: false })
  for (let i = 0; i < 20; i++) {
    f.dns.set(`n${i}.test`, { A: ['10.0.0.1'] })
    await f.lookup(`n${i}.test`)
  }
  assert.ok(new Set(f.dns.asked.map(({ from }) => from)).size > 10)
  assert.ok(new Set(f.dns.asked.map(({ id }) => id)).size > 18)
})

test('answers with a wrong id, to another question or about other names change nothing', async () => {
  await using f = await fixture({ ipv6: false })
  f.dns.answerer = (asked, query) => {
    const evil = [address(asked.name, '6.6.6.6')]
    const other = Buffer.from(query)
    other[13] = 'z'.charCodeAt(0)
    return [
      response(query, evil, { id: asked.id ^ 1 }),
      response(other, evil),
      response(query, [address('bank.test', '6.6.6.6')]),
      Buffer.from('garbage'),
      response(query, [address(asked.name, '10.0.0.1'), address('bank.test', '6.6.6.6')]),
    ]
  }
  assert.equal(await f.lookup('a.test'), '10.0.0.1')
  assert.equal(f.resolver.known('bank.test'), undefined)
  const text = f.log.join('')
  assert.match(text, /wrong ident \d+ in DNS response for a\.test, expect \d+/)
  assert.match(text, /unexpected DNS response for z\.test/)
  assert.match(text, /no A or CNAME types in DNS response/)
  assert.match(text, /short DNS response/)
})

test('nobody answers: the wait ends, and queries are sent again to the next server', async () => {
  await using second = await DnsServer.start()
  const dns = await DnsServer.start()
  await using _ = dns
  await using f = await fixture({ servers: [serverAt(dns.port), serverAt(second.port)], ipv6: false }, 12_000)
  for (const server of [dns, second]) server.set('a.test', { silent: true })
  const lost = f.lookup('a.test')
  await dns.until(1)
  advance(5000 + TICK_MS)
  await second.until(1)
  advance(5000 + TICK_MS)
  await dns.until(2)
  advance(2000 + TICK_MS)
  assert.equal(await lost, '110: Operation timed out')
  second.set('b.test', { A: ['10.0.0.2'] })
  assert.equal(await f.lookup('b.test'), '10.0.0.2')
})

test('a server that is not there is passed over', async () => {
  const [port = 0] = await freePorts(1)
  await using dns = await DnsServer.start()
  await using f = await fixture({ servers: [serverAt(port), serverAt(dns.port)] })
  dns.set('a.test', { A: ['10.0.0.1'] })
  assert.equal(await f.lookup('a.test'), '10.0.0.1')
  assert.match(
    f.log.join(''),
    /(?:recv|send)\(\) failed \(111: Connection refused\) while resolving, resolver: 127\.0\.0\.1:/,
  )
})

test('services: targets by priority with their addresses', async () => {
  await using f = await fixture({ ipv6: false })
  f.dns.set('_http._tcp.a.test', { SRV: ['2 0 81 b.test', '1 5 80 a.test'], ttl: 9 })
  f.dns.set('a.test', { A: ['10.0.0.1', '10.0.0.2'], ttl: 7 })
  f.dns.set('b.test', { A: ['10.0.0.3'] })
  const ask = (service: string): Promise<readonly [readonly ServiceTarget[], number, number]> =>
    new Promise((resolve) =>
      f.resolver.resolveService(service, 'a.test', { onService: (...result) => resolve(result) }),
    )
  const [targets, code, untilMs] = await ask('http')
  assert.equal(code, 0)
  assert.equal(untilMs - now, 7000)
  assert.deepEqual(
    targets.map((t) => `${t.priority} ${t.weight} ${t.port} ${t.name} ${t.addresses.join(',')}`),
    ['1 5 80 a.test 10.0.0.1,10.0.0.2', '2 1 81 b.test 10.0.0.3'],
  )
  assert.equal((await ask('_http._tcp'))[1], 0)
  assert.equal((await ask('x'))[1], 3)
  f.dns.set('_y._tcp.a.test', { SRV: ['1 1 1 none.test'] })
  assert.equal((await ask('y'))[1], 3)
})

test('an answer full of aliases that belong to nobody', async () => {
  await using f = await fixture({ ipv6: false })
  const chain = Array.from({ length: 900 }, (_, i) => record(`n${i}`, TYPES.CNAME, 60, Buffer.from([1, 120, 0])))
  f.dns.answerer = (asked, query) =>
    asked.tcp ? response(query, [...chain, address(asked.name, '10.0.0.1')]) : response(query, [], { flags: 0x200 })
  assert.equal(await f.lookup('a.test'), '10.0.0.1')
})
