/** Threads give memory back at the same time: V8's flags, which that needs, are those of all of them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

const THREADS = 4
const TIMES = 40

/** Each import is a module of its own, which asks for V8's collector anew. */
const THREAD = `
import { parentPort } from 'node:worker_threads'
globalThis.kept = new Array(10_000_000).fill(0.5)
for (let n = 0; n < ${TIMES}; n++) {
  const { giveBack } = await import(${JSON.stringify(new URL('../../src/process/memory.ts', import.meta.url).href)} + '?' + n)
  giveBack()
}
parentPort.postMessage('done')
`

test('threads that give memory back at the same time all live', async () => {
  const threads = Array.from({ length: THREADS }, () => {
    return new Worker(new URL(`data:text/javascript,${encodeURIComponent(THREAD)}`))
  })
  const done = await Promise.all(threads.map((thread) => once(thread, 'message')))
  assert.deepEqual(done, Array(THREADS).fill(['done']))
})
