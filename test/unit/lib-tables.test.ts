/** Tables by host name, network and address range. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CidrMap } from '../../src/lib/cidr-map.ts'
import { HostTable } from '../../src/lib/host-table.ts'
import { parseIp } from '../../src/lib/ip.ts'
import { RangeMap } from '../../src/lib/range-map.ts'
import { Roster } from '../../src/lib/roster.ts'

test('exact names win over wildcards, long wildcards over short ones', () => {
  const table = new HostTable<number>()
  assert.equal(table.add('Example.com', 1), 'ok')
  assert.equal(table.add('*.example.com', 2), 'ok')
  assert.equal(table.add('*.b.example.com', 3), 'ok')
  assert.equal(table.add('www.*', 4), 'ok')
  assert.equal(table.add('.both.org', 5), 'ok')
  const found = ['EXAMPLE.com', 'a.example.com', 'x.b.example.com', 'www.q.z', 'both.org', 'a.both.org', 'com', 'www']
  assert.deepEqual(
    found.map((name) => table.find(name)),
    [1, 2, 3, 4, 5, 5, undefined, undefined],
  )
})

test('misplaced wildcards and repeated names are told', () => {
  const table = new HostTable<number>()
  assert.equal(table.add('a*.com', 1), 'invalid')
  assert.equal(table.add('*.*', 1), 'invalid')
  assert.equal(table.add('a..b', 1), 'invalid')
  assert.equal(table.add('a', 1), 'ok')
  assert.equal(table.add('A', 2), 'conflict')
  assert.equal(table.addExact('a*', 3), 'ok')
  assert.equal(table.find('A*'), 3)
})

test('the longest network that holds an address is found', () => {
  const map = new CidrMap<string>()
  const ip = (text: string): string => parseIp(text)!
  map.set(ip('10.0.0.0'), 8, 'eight')
  map.set(ip('10.1.0.0'), 13, 'thirteen')
  assert.equal(map.set(ip('10.1.2.3'), 32, 'one'), undefined)
  assert.equal(map.set(ip('10.255.0.0'), 8, 'again'), 'eight')
  assert.deepEqual(
    ['10.1.2.3', '10.7.0.1', '10.8.0.1', '11.0.0.0'].map((text) => map.find(ip(text))),
    ['one', 'thirteen', 'again', undefined],
  )
  assert.ok(map.delete(ip('10.1.2.3'), 32))
  assert.ok(!map.delete(ip('10.1.2.3'), 32))
  assert.equal(map.find(ip('10.1.2.3')), 'thirteen')
})

test('ranges split what they lie in and may not overlap otherwise', () => {
  const map = new RangeMap<string>()
  assert.equal(map.add(10, 0x20000, 'wide').kind, 'ok')
  assert.equal(map.add(20, 30, 'inner').kind, 'ok')
  assert.deepEqual(map.add(20, 30, 'newer'), { kind: 'replaced', old: 'inner' })
  assert.deepEqual(map.add(25, 40, 'across'), { kind: 'overlaps', start: 31, end: 0xffff })
  assert.deepEqual(map.add(5, 12, 'before'), { kind: 'overlaps', start: 10, end: 19 })
  const found = [9, 10, 19, 20, 30, 31, 0xffff, 0x10000, 0x20000, 0x20001].map((address) => map.find(address))
  const wide = 'wide'
  assert.deepEqual(found, [undefined, wide, wide, 'newer', 'newer', wide, wide, wide, wide, undefined])
  assert.ok(map.delete(20, 30))
  assert.equal(map.find(25), undefined)
  assert.ok(!map.delete(10, 30))
})

test('a roster holds who is there, and everybody leaves at once', () => {
  class Member {
    rosterPlace = -1
  }
  const roster = new Roster<Member>()
  const other = new Roster<Member>()
  const members = Array.from({ length: 100 }, () => new Member())
  const there = new Set<Member>()
  const random = randomOf(7)
  for (let i = 0; i < 5000; i++) {
    const member = members[Math.floor(random() * members.length)]!
    assert.equal(other.delete(member), false, 'it is not in that one')
    assert.equal(roster.delete(member), there.delete(member))
    if (random() < 0.5) continue
    roster.add(member)
    there.add(member)
    assert.throws(() => roster.add(member))
    assert.equal(roster.count, there.size)
  }
  assert.deepEqual(new Set(roster.all()), there)
})

/** Numbers below one, the same each time (a linear congruential generator). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
}
