/** Sessions of `sticky learn`: found by all threads, forgotten when unused, pushed out when there is no room. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { clock, SYSTEM_TIME } from '../../src/lib/clock.ts'
import { ZONE_SIZE_MIN, Zone } from '../../src/shared/zone.ts'
import { LEARNED, PUSHED_OUT, StickySessions } from '../../src/upstream/sticky-sessions.ts'

const TIMEOUT_MS = 5000
let nowMs = 0
let zone: Zone
let sessions: StickySessions

before(() => clock.setSource({ wall: () => nowMs, monotonic: () => nowMs, offsetMinutes: () => 0 }))
beforeEach(() => {
  nowMs = 1000
  clock.update()
  zone = Zone.create('s', ZONE_SIZE_MIN, 'sticky')
  sessions = new StickySessions(zone, TIMEOUT_MS)
})
after(() => clock.setSource(SYSTEM_TIME))

function pass(ms: number): void {
  nowMs += ms
  clock.update()
}

test('a session that was created is found, also by another thread', () => {
  assert.equal(sessions.serverOf('one'), '')
  assert.equal(sessions.learn('one', 'server-a', true), LEARNED)
  assert.equal(sessions.serverOf('one'), 'server-a')
  const other = Zone.attach('s', zone.buffer, 'sticky')
  assert.equal(new StickySessions(other!, TIMEOUT_MS).serverOf('one'), 'server-a')
})

test('a session that is only looked up is not made, but moves with its server', () => {
  sessions.learn('one', 'a', false)
  assert.equal(sessions.serverOf('one'), '')
  sessions.learn('one', 'a', true)
  sessions.learn('one', 'b', false)
  assert.equal(sessions.serverOf('one'), 'b')
})

test('use keeps a session alive, silence ends it', () => {
  sessions.learn('one', 'a', true)
  pass(TIMEOUT_MS - 1)
  sessions.learn('one', 'a', false)
  pass(TIMEOUT_MS - 1)
  assert.equal(sessions.serverOf('one'), 'a')
  pass(1)
  assert.equal(sessions.serverOf('one'), '')
})

test('when there is no room the session used longest ago goes, and servers stay', () => {
  sessions.learn('first', 'server-of-the-first', true)
  let count = 1
  while (sessions.learn(`session-${count}`, 'x'.repeat(32), true) === LEARNED) count++
  assert.ok(count > 200, `${count} sessions fit`)
  assert.equal(sessions.serverOf('first'), '')
  assert.equal(sessions.serverOf('session-1'), 'x'.repeat(32))
  for (let i = 0; i < 3 * count; i++) assert.equal(sessions.learn(`more-${i}`, 'y', true), PUSHED_OUT)
  assert.equal(sessions.serverOf(`more-${3 * count - 1}`), 'y')
})

test('sessions that have expired make room', () => {
  for (let i = 0; sessions.learn(`session-${i}`, 'a', true) === LEARNED; i++);
  pass(TIMEOUT_MS)
  for (let i = 0; i < 100; i++) assert.equal(sessions.learn(`later-${i}`, 'a', true), LEARNED)
})
