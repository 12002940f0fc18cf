/** One suite for all balancers: whatever the method, servers that cannot be used are not chosen. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { clock, SYSTEM_TIME } from '../../src/lib/clock.ts'
import { parseIp } from '../../src/lib/ip.ts'
import { NULL_LOG } from '../../src/log/error-log.ts'
import type { BalancerFactory } from '../../src/upstream/balancers/balancer.ts'
import { ConsistentHash } from '../../src/upstream/balancers/consistent-hash.ts'
import { Fair } from '../../src/upstream/balancers/fair.ts'
import { Hash } from '../../src/upstream/balancers/hash.ts'
import { IpHash } from '../../src/upstream/balancers/ip-hash.ts'
import { LeastConn } from '../../src/upstream/balancers/least-conn.ts'
import { LeastTime } from '../../src/upstream/balancers/least-time.ts'
import { Random } from '../../src/upstream/balancers/random.ts'
import { RoundRobin } from '../../src/upstream/balancers/round-robin.ts'
import { BLAMELESS, FAILED, GOOD, PeerGroup, Selection } from '../../src/upstream/group.ts'
import { privateState } from '../../src/upstream/group-state.ts'
import { Peer } from '../../src/upstream/peer.ts'
import type { AttemptNumbers } from '../../src/upstream/peer-counts.ts'
import { CHECKING, type PeerOptions, UNHEALTHY } from '../../src/upstream/peer-row.ts'
import { PEER_DEFAULTS, peerAddress } from '../../src/upstream/registry.ts'
import { RECORDED, recordedAddress } from './recorded/balancer-choices.ts'

interface Method {
  readonly name: string
  readonly make: BalancerFactory
  /** The key of request `i`. */
  readonly key: (i: number) => string
}

const none = (): string => ''
const numbered = (i: number): string => `key-${i}`
const METHODS: readonly Method[] = [
  { name: 'round robin', make: (peers) => new RoundRobin(peers), key: none },
  { name: 'least_conn', make: (peers) => new LeastConn(peers), key: none },
  { name: 'fair', make: (peers) => new Fair(peers, 'share', true), key: none },
  { name: 'least_time header', make: (peers) => new LeastTime(peers, true, false), key: none },
  { name: 'least_time last_byte inflight', make: (peers) => new LeastTime(peers, false, true), key: none },
  { name: 'ip_hash', make: (peers) => new IpHash(peers), key: (i) => parseIp(recordedAddress(i % 300))! },
  { name: 'hash', make: (peers) => new Hash(peers), key: numbered },
  { name: 'hash consistent', make: (peers) => new ConsistentHash(peers), key: numbered },
  { name: 'random', make: (peers) => new Random(peers, undefined), key: none },
  { name: 'random two', make: (peers) => new Random(peers, (peer) => peer.conns), key: none },
]

let nowMs = 0
const context = { connection: 0, debugConnection: false, describe: () => '' }

before(() => {
  clock.setSource({ wall: () => nowMs, monotonic: () => nowMs, offsetMinutes: () => 0 })
})
beforeEach(() => {
  nowMs = 1_000_000
  clock.update()
})
after(() => clock.setSource(SYSTEM_TIME))

function pass(ms: number): void {
  nowMs += ms
  clock.update()
}

/** An attempt that took so long. */
function took(headerMs: number, responseMs: number): AttemptNumbers {
  return { status: 200, connectMs: 0, headerMs, responseMs, bytesSent: 0, bytesReceived: 0 }
}

/** Servers `a`, `b` ... with these options; those after `primaries` are backups. */
function groupOf(
  make: BalancerFactory,
  options: readonly Partial<PeerOptions>[],
  primaries = options.length,
): PeerGroup {
  const state = privateState(options.length)
  const peers = options.map((given, i) => {
    const address = peerAddress(`127.0.0.${i + 2}`, 18081 + i)
    return new Peer(address, { ...PEER_DEFAULTS, ...given }, address.name, state, i)
  })
  return new PeerGroup('u', peers.slice(0, primaries), peers.slice(primaries), make, undefined)
}

function letter(group: PeerGroup, peer: Peer | undefined): string {
  const index = peer === undefined ? -1 : [...group.peers, ...group.backups].indexOf(peer)
  return index < 0 ? '-' : 'abcdefgh'[index]!
}

/** Begins a request. */
function begin(group: PeerGroup, key = '', sid = ''): { readonly selection: Selection; readonly chosen: string } {
  const selection = new Selection()
  selection.begin(group, 0)
  return { selection, chosen: letter(group, selection.next(key, sid)) }
}

/** `count` requests one after another, answered well. */
function serve(group: PeerGroup, { key }: Pick<Method, 'key'>, count: number): string {
  let chosen = ''
  for (let i = 0; i < count; i++) {
    const request = begin(group, key(i))
    chosen += request.chosen
    request.selection.done(GOOD, took(1, 1), NULL_LOG, context)
  }
  return chosen
}

function countsOf(chosen: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of chosen) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

function assertNear(actual: number | undefined, expected: number, about: string): void {
  assert.ok(Math.abs((actual ?? 0) - expected) < 100, `${about}: ${actual} is not near ${expected}`)
}

for (const method of METHODS) {
  describe(method.name, () => {
    testChoice(method)
    testLimits(method)
    testWrappers(method)
  })
}

describe('what weights mean for fair', () => {
  test('goes round in a circle among idle servers, or stays with the first', () => {
    assert.equal(
      serve(
        groupOf((p) => new Fair(p, 'share', true), [{}, {}, {}]),
        { key: none },
        6,
      ),
      'abcabc',
    )
    assert.equal(
      serve(
        groupOf((p) => new Fair(p, 'share', false), [{}, {}, {}]),
        { key: none },
        3,
      ),
      'aaa',
    )
  })
  test('idle: a server is idle until it has as many requests as its weight', () => {
    const group = groupOf((p) => new Fair(p, 'idle', false), [{ weight: 2 }, { weight: 3 }])
    const chosen = Array.from({ length: 7 }, () => begin(group).chosen).join('')
    assert.equal(chosen, 'aabbbab')
  })
  test('peak: nobody gets more requests than its weight', () => {
    const group = groupOf((p) => new Fair(p, 'peak', true), [{ weight: 2 }, { weight: 1 }])
    assert.equal(Array.from({ length: 4 }, () => begin(group).chosen).join(''), 'aba-')
  })
})

/** Shares, servers that are away, backups. */
function testChoice(method: Method): void {
  const { name, make, key } = method
  test('all servers get their share of the connections, by weight', () => {
    const group = groupOf(make, [{}, { weight: 2 }, { weight: 3 }])
    let chosen = ''
    for (let i = 0; i < 1200; i++) chosen += begin(group, key(i)).chosen
    const counts = countsOf(chosen)
    // The addresses are few and not random.
    if (name === 'ip_hash') assert.deepEqual(Object.keys(counts).sort(), ['a', 'b', 'c'])
    else for (const [i, server] of ['a', 'b', 'c'].entries()) assertNear(counts[server], (i + 1) * 200, server)
  })

  test('a server that is down, drains or is not healthy is left out', () => {
    const group = groupOf(make, [{ down: true }, {}, { drain: true }, {}, {}, {}])
    group.peers[4]!.health = UNHEALTHY
    group.peers[5]!.health = CHECKING
    assert.deepEqual(Object.keys(countsOf(serve(group, method, 200))).sort(), ['b', 'd'])
  })

  test('a request tries each server once, then the backups, then nobody', () => {
    const group = groupOf(make, [{ maxFails: 0 }, { maxFails: 0 }, { maxFails: 0 }, { maxFails: 0 }], 3)
    const { selection, chosen } = begin(group, key(7))
    const tried = [chosen]
    for (let i = 0; i < 4; i++) {
      selection.done(FAILED, took(-1, 5), NULL_LOG, context)
      tried.push(letter(group, selection.next(key(7))))
    }
    assert.deepEqual(tried.slice(0, 3).sort(), ['a', 'b', 'c'])
    assert.deepEqual(tried.slice(3), ['d', '-'])
  })

  test('backups serve while every primary server is away, and no longer', () => {
    const group = groupOf(make, [{}, {}, {}, {}], 2)
    for (const peer of group.peers) peer.health = UNHEALTHY
    assert.deepEqual(Object.keys(countsOf(serve(group, method, 100))).sort(), ['c', 'd'])
    group.peers[1]!.health = 0
    assert.deepEqual(Object.keys(countsOf(serve(group, method, 100))), ['b'])
  })
}

/** `max_conns`, `max_fails`, the rule for a single server. */
function testLimits(method: Method): void {
  const { make, key } = method
  test('max_conns is the most at once', () => {
    const group = groupOf(make, [{ maxConns: 2 }, { maxConns: 1 }])
    const requests = [0, 1, 2].map((i) => begin(group, key(i)))
    assert.deepEqual(countsOf(requests.map((r) => r.chosen).join('')), { a: 2, b: 1 })
    assert.equal(begin(group, key(3)).chosen, '-')
    requests[0]!.selection.done(BLAMELESS, took(-1, 1), NULL_LOG, context)
    assert.equal(begin(group, key(3)).chosen, requests[0]!.chosen)
  })

  test('max_fails within fail_timeout take a server away, and one request tries it afterwards', () => {
    const group = groupOf(make, [{ maxFails: 2, failTimeoutS: 10 }, { maxConns: 1000 }])
    for (let i = 0, fails = 0; fails < 2; i++) {
      const { selection, chosen } = begin(group, key(i))
      selection.done(chosen === 'a' ? FAILED : GOOD, took(1, 1), NULL_LOG, context)
      if (chosen === 'a') fails++
    }
    assert.deepEqual(Object.keys(countsOf(serve(group, method, 60))), ['b'])
    pass(11_000)
    const open: Selection[] = []
    let chosen = ''
    for (let i = 0; i < 60; i++) {
      const request = begin(group, key(i))
      open.push(request.selection)
      chosen += request.chosen
    }
    assert.equal(countsOf(chosen)['a'], 1)
    for (const selection of open) selection.done(GOOD, took(1, 1), NULL_LOG, context)
    assert.ok(countsOf(serve(group, method, 60))['a']! > 1)
  })

  test('the only server is asked whatever it did, but not more than it may', () => {
    const group = groupOf(make, [{ maxConns: 1 }])
    for (let i = 0; i < 3; i++) {
      const { selection, chosen } = begin(group, key(i))
      assert.equal(chosen, 'a')
      assert.equal(begin(group, key(i)).chosen, '-')
      selection.done(FAILED, took(-1, 1), NULL_LOG, context)
    }
  })
}

/** `sticky` and `slow_start`, which stand around a balancer. */
function testWrappers(method: Method): void {
  const { make, key } = method
  test('a request that is bound to a server goes there, if it can', () => {
    const group = groupOf(make, [{ route: 'r1' }, { route: 'r2', drain: true }, { route: 'r3', down: true }, {}], 3)
    for (let i = 0; i < 20; i++) {
      for (const [sid, expected] of [
        ['r1', 'a'],
        ['r2', 'b'],
        ['r3', 'a'],
        ['nobody', 'a'],
      ] as const) {
        const { selection, chosen } = begin(group, key(i), sid)
        assert.equal(chosen, expected, sid)
        selection.done(GOOD, took(1, 1), NULL_LOG, context)
      }
    }
    const { selection } = begin(group, key(0), 'r2')
    selection.done(FAILED, took(-1, 1), NULL_LOG, context)
    assert.equal(letter(group, selection.next(key(0), 'r2')), 'a')
  })

  test('slow_start lets a server that recovered come back little by little', () => {
    const group = groupOf(make, [{}, { slowStartMs: 10_000 }])
    const cold = group.peers[1]!
    const share = (): number => countsOf(serve(group, method, 1000))['b'] ?? 0
    const usual = share()
    cold.warmUp()
    assert.equal(share(), 0)
    pass(5000)
    const half = share()
    assert.ok(half > usual / 4 && half < usual, `${half} of ${usual}`)
    pass(5000)
    assertNear(share(), usual, 'warm')
    cold.warmUp()
    group.peers[0]!.health = UNHEALTHY
    assert.equal(begin(group, key(0)).chosen, 'b', 'a cold server is better than none')
  })
}

describe('the choices of nginx', () => {
  const options = [{}, {}, { weight: 2 }, { weight: 5 }]

  function recordedGroup(make: BalancerFactory, cIsDown: boolean): PeerGroup {
    const state = privateState(4)
    const peers = options.map((given, i) => {
      const { name, host, port } = peerAddress(`127.0.0.${i + 2}`, 18081 + i)
      const address =
        i < 3 ? { name, host, port, path: '' } : { name: SOCKET, host: '', port: 0, path: SOCKET.slice(5) }
      return new Peer(address, { ...PEER_DEFAULTS, ...given, down: cIsDown && i === 2 }, address.name, state, i)
    })
    return new PeerGroup('u', peers, [], make, undefined)
  }

  const SOCKET = 'unix:/tmp/ketama.sock'
  const address = (i: number): string => parseIp(recordedAddress(i))!
  const cases: readonly [string, BalancerFactory, (i: number) => string, string, string | undefined][] = [
    ['hash consistent', (p) => new ConsistentHash(p), numbered, RECORDED.consistent, RECORDED.consistentDown],
    ['hash', (p) => new Hash(p), numbered, RECORDED.hash, RECORDED.hashDown],
    ['ip_hash', (p) => new IpHash(p), address, RECORDED.ipHash, RECORDED.ipHashDown],
    ['round robin', (p) => new RoundRobin(p), none, RECORDED.roundRobin, undefined],
    ['least_conn', (p) => new LeastConn(p), none, RECORDED.leastConn, undefined],
  ]
  for (const [name, make, key, all, down] of cases) {
    test(name, () => {
      assert.equal(serve(recordedGroup(make, false), { key }, all.length), all)
      if (down !== undefined) assert.equal(serve(recordedGroup(make, true), { key }, down.length), down)
    })
  }
})

test('a server recovers slowly after max_fails, too', () => {
  const group = groupOf((peers) => new RoundRobin(peers), [{ slowStartMs: 10_000, failTimeoutS: 1 }, {}])
  const { selection } = begin(group)
  selection.done(FAILED, took(-1, 1), NULL_LOG, context)
  pass(3000)
  assert.match(serve(group, { key: none }, 4), /^[ab]*a[ab]*$/)
  assert.equal(group.peers[0]!.warmth, 0)
  pass(2500)
  assert.equal(group.peers[0]!.warmth, 0.25)
})
