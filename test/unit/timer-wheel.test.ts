/** The timer wheel: what is set while it turns does not delay what was set before. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { clock, SYSTEM_TIME } from '../../src/lib/clock.ts'
import { cancelTimer, setTimer, Timer } from '../../src/net/timer-wheel.ts'

test('a timer that is set during a turn does not hide one that is due earlier', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const late = new Timer({ onTimeout: () => resolve('late') })
  const first = new Timer({ onTimeout: () => setTimer(late, 1000) })
  const second = new Timer({ onTimeout: () => resolve('second') })
  clock.update()
  setTimer(first, 20)
  setTimer(second, 100)
  assert.equal(await promise, 'second')
  cancelTimer(late)
})

test('a time-out that is no number is a mistake', () => {
  const timer = new Timer({ onTimeout: () => {} })
  assert.throws(() => setTimer(timer, Number.NaN), /a time-out is a number/)
})

test('a lone timer that is due after more than a turn is moved on once, however late it is visited', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  // A step of 24 ms makes some visits one tick late: the next place, a turn ahead, is then the one being visited.
  for (const stepMs of [1, 8, 16, 24, 32, 40, 100, 1000]) visitInSteps(stepMs)
  mock.timers.reset()
  clock.setSource(SYSTEM_TIME)
})

function visitInSteps(stepMs: number): void {
  const start = 1_000_000
  let now = start
  clock.setSource({ wall: () => now, monotonic: () => now, offsetMinutes: () => 0 })
  let fired = false
  const timer = new Timer({
    onTimeout: () => {
      fired = true
    },
  })
  let visits = 0
  let deadline = 0
  Object.defineProperty(timer, 'deadline', {
    get: () => {
      assert.ok(++visits < 1000, `visits end, in steps of ${stepMs} ms`)
      return deadline
    },
    set: (value: number) => {
      deadline = value
    },
  })
  setTimer(timer, 60_000)
  while (!fired) {
    now += stepMs
    mock.timers.tick(stepMs)
    assert.ok(now - start < 62_000, `it fires in time, in steps of ${stepMs} ms`)
  }
  assert.ok(now - start >= 60_000)
}
