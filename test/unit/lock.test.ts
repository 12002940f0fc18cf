/** The lock of a zone: one thread at a time, whoever dies in it or while it waits for it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { LOCK_WORDS, Lock } from '../../src/shared/lock.ts'

const LOCK_URL = new URL('../../src/shared/lock.ts', import.meta.url).href
const THREADS = 4
const ROUNDS = 3000
/** Behind the lock: a number that only the owner changes, and one that says how many threads are about to enter. */
const COUNT = LOCK_WORDS
const READY = LOCK_WORDS + 1

/** A thread that runs `code` with the lock as `lock` and its memory as `words`. */
function thread(words: Int32Array, code: string): Worker {
  const whole = `
    const { parentPort, workerData: words } = require('node:worker_threads')
    import(${JSON.stringify(LOCK_URL)}).then(({ Lock }) => {
      const lock = new Lock(words, 0)
      ${code}
      parentPort.postMessage('done')
    })`
  return new Worker(whole, { eval: true, workerData: words })
}

function memory(): Int32Array {
  return new Int32Array(new SharedArrayBuffer((LOCK_WORDS + 2) * 4))
}

async function untilWaiting(words: Int32Array): Promise<void> {
  const before = words[0]
  // Whoever sleeps has marked the owner.
  while (words[0] === before) await new Promise((resolve) => setImmediate(resolve))
}

test('threads take turns', async () => {
  const words = memory()
  const code = `for (let i = 0; i < ${ROUNDS}; i++) { lock.enter(); words[${COUNT}] = words[${COUNT}] + 1; lock.leave() }`
  const threads = Array.from({ length: THREADS }, () => thread(words, code))
  await Promise.all(threads.map((one) => once(one, 'message')))
  assert.equal(words[COUNT], THREADS * ROUNDS)
  assert.equal(words[0], 0, 'it is free in the end')
  await Promise.all(threads.map((one) => one.terminate()))
})

test('who sleeps is woken by who leaves', async () => {
  const words = memory()
  const lock = new Lock(words, 0)
  lock.enter()
  const waiting = thread(words, `lock.enter(); words[${COUNT}] = 1; lock.leave()`)
  const done = once(waiting, 'message')
  await untilWaiting(words)
  assert.equal(words[COUNT], 0)
  lock.leave()
  await done
  assert.equal(words[COUNT], 1)
  await waiting.terminate()
})

test('of a thread that ended while it waited nothing stays', async () => {
  const words = memory()
  const lock = new Lock(words, 0)
  lock.enter()
  const waiting = thread(words, 'lock.enter()')
  await untilWaiting(words)
  await waiting.terminate()
  lock.leave()
  const blank = [...words]
  assert.equal(lock.enter(), false)
  lock.leave()
  assert.deepEqual([...words.subarray(0, 2)], blank.slice(0, 2))
  assert.deepEqual([...words.subarray(0, 2)], [0, 0])
  assert.equal(words[3], 0)
})

test('what a dead owner held is free, and known to be half changed', async () => {
  const words = memory()
  const owner = thread(
    words,
    `lock.enter(); Atomics.store(words, ${READY}, 1); Atomics.notify(words, ${READY}); Atomics.wait(words, ${COUNT}, 0)`,
  )
  while (Atomics.load(words, READY) === 0) await new Promise((resolve) => setImmediate(resolve))
  const { threadId } = owner
  const waiting = thread(words, `words[${COUNT}] = lock.enter() ? 7 : 8; lock.repaired(); lock.leave()`)
  const done = once(waiting, 'message')
  await untilWaiting(words)
  await owner.terminate()
  new Lock(words, 0).release(threadId)
  await done
  assert.equal(words[COUNT], 7)
  assert.equal(new Lock(words, 0).enter(), false)
  await waiting.terminate()
})
