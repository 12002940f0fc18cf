/** Answers of TLS engines that nobody reads end the connection. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { clock, SYSTEM_TIME } from '../../src/lib/clock.ts'
import { TLS_UNREAD_MAX, TlsUnreadWatch } from '../../src/net/tls-unread.ts'

class Connection {
  rosterPlace = -1
  unread = 0
  ended = 0

  onUnread(): void {
    this.ended++
  }
}

test('connections are looked at as long as there are any', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  let now = 1_000_000
  clock.setSource({ wall: () => now, monotonic: () => now, offsetMinutes: () => 0 })
  const pass = (seconds: number) => {
    for (let i = 0; i < seconds * 10; i++) {
      now += 100
      mock.timers.tick(100)
    }
  }
  const watch = new TlsUnreadWatch()
  const reader = new Connection()
  const flood = new Connection()
  watch.add(reader)
  watch.add(flood)
  reader.unread = flood.unread = TLS_UNREAD_MAX
  pass(15)
  assert.equal(flood.ended, 0, 'some may wait')
  flood.unread++
  pass(11)
  assert.equal(flood.ended, 1)
  assert.equal(reader.ended, 0)
  watch.delete(flood)
  pass(30)
  assert.equal(flood.ended, 1, 'who is gone is not looked at')
  watch.delete(reader)
  pass(11)
  reader.unread = TLS_UNREAD_MAX + 1
  watch.add(reader)
  pass(11)
  assert.equal(reader.ended, 1, 'it begins again')
  mock.timers.reset()
  clock.setSource(SYSTEM_TIME)
})
