/**
 * Loaded ahead of each test file: a file whose tests are over, and that still does not end, is ended and fails, with what
 * holds it. Node's runner would wait for it for ever.
 */
import { after } from 'node:test'
import { setTimeout } from 'node:timers'

/** Servers that the file started have their time to end. */
const OVERDUE_MS = 60_000

after(() => {
  setTimeout(() => {
    console.error(`the tests are over, and still there are: ${process.getActiveResourcesInfo().join(' ')}`)
    // Anything else would wait for what does not end.
    process.kill(process.pid, 'SIGKILL')
  }, OVERDUE_MS).unref()
})
