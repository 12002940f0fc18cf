/**
 * A worker thread. Everything that serving needs is imported before the first message arrives, so that a
 * thread may be started ahead of its configuration.
 */
import { flushCompileCache } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../lib/assert.ts'
import { systemThreadId } from '../lib/thread-number.ts'
import { LogFiles } from '../log/log-files.ts'
import { modules } from '../modules/index.ts'
import { noteHoldingsIn } from '../shared/holdings.ts'
import { calls, whyNoCalls } from '../sys/calls.ts'
import { followTimeZone } from './environment.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { WorkerSeat } from './worker-seat.ts'

/** What the engine passes to a new thread. */
export interface WorkerData {
  readonly place: number
  readonly id: number
  /** Memory for what the thread counts in zones. */
  readonly holdings: SharedArrayBuffer
  /** Memory for what is on its ring. */
  readonly estate: SharedArrayBuffer
}

assert(parentPort !== null, 'this file runs as a worker thread')
const port = parentPort
const { place, id, holdings, estate } = workerData as WorkerData // Who starts this thread passes it.
noteHoldingsIn(holdings)
const files = new LogFiles()
const send = (message: FromWorker): void => port.postMessage(message)
files.onUnheld = (fd) => send({ type: 'unheld', fd })
const wantSockets = (keys: readonly string[]): void => send({ type: 'want', keys })
const seat = new WorkerSeat({ place, id, modules, files, estate, wantSockets })

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'install': {
      const { generation, source, zones, logs, leaving } = message
      followTimeZone()
      files.adopt(logs)
      seat.install(source, zones, (errors) => {
        if (errors.length > 0) return send({ type: 'failed', generation, errors })
        files.settle(new Set(logs.keys()))
        for (const fd of leaving) if (!files.holds(fd)) send({ type: 'unheld', fd })
        send({ type: 'installed', generation })
      })
      break
    }
    case 'listen':
      seat.listen(message.key, message.fd)
      send({ type: 'listening', key: message.key })
      break
    case 'reopen':
      seat.reopen(message.logs)
      send({ type: 'reopened' })
      break
    case 'stop':
      seat.stop(message.graceful, message.timeoutMs, () => send({ type: 'stopped' }))
  }
})

send({ type: 'started', tid: systemThreadId() })
// Until the configuration is here, what nearly all of them need is loaded.
if (whyNoCalls() === '') calls()
// Written now, because at the end the process may have no right to.
flushCompileCache()
