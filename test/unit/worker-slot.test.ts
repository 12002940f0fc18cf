/** A place for worker threads: what one leaves its successor. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkerSlot } from '../../src/process/worker-slot.ts'
import { heldIn } from '../../src/shared/holdings.ts'

/** Starts a thread and ends it as soon as it runs; what it has noted is as the engine sees it when it ends. */
async function live(slot: WorkerSlot, note: (slot: WorkerSlot) => void): Promise<number[]> {
  return new Promise((resolve) => {
    slot.attach({
      onStarted: () => {
        note(slot)
        slot.terminate()
      },
      onMessage: () => {},
      onExit: () => resolve(heldIn(slot.holdings, 7)),
    })
  })
}

test('the memory of a thread that is gone is the next one’s, and blank', async () => {
  const first = new WorkerSlot(0)
  const held = await live(first, ({ holdings }) => new Int32Array(holdings).set([7, 1, 0, 2, 7, 3]))
  assert.deepEqual(held, [1, 3])
  const second = new WorkerSlot(1)
  assert.equal(second.holdings, first.holdings)
  assert.equal(second.estate, first.estate)
  assert.ok(new Int32Array(second.holdings).every((word) => word === 0))
  const third = new WorkerSlot(2)
  assert.notEqual(third.holdings, second.holdings)
  for (const slot of [second, third]) assert.deepEqual(await live(slot, () => {}), [])
})

test('the memory of one that is told to stop between two threads is the next one’s, too', async () => {
  const slot = new WorkerSlot(0)
  const code = await new Promise<number>((resolve) => {
    slot.attach({
      // What no thread survives: there is no configuration in it.
      onStarted: () => slot.post({ type: 'install' } as never),
      onMessage: () => {},
      onExit: (_, status) => resolve(status),
    })
  })
  assert.notEqual(code, 0)
  slot.post({ type: 'stop', graceful: true, timeoutMs: 0 })
  slot.post({ type: 'stop', graceful: true, timeoutMs: 0 })
  const [second, third] = [new WorkerSlot(1), new WorkerSlot(2)]
  assert.equal(second.holdings, slot.holdings)
  assert.notEqual(third.holdings, slot.holdings)
  for (const one of [second, third]) await live(one, () => {})
})
