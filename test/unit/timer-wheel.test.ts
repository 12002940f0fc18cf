/** The timer wheel: what is set while it turns does not delay what was set before. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clock } from '../../src/lib/clock.ts'
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
