/**
 * Output is corked while an event is being handled and leaves in one system call per socket when the event ends.
 * Entries from the event loop into the data plane stand between `beginEvent` and `flushWires`; one that does not (a
 * promise that continues, a callback of a library) is caught by a tick of its own.
 */
import { clock } from '../lib/clock.ts'

/** What has output waiting for the end of the event. */
export interface Corked {
  flush(): void
}

/** What waits for the event at hand to be dealt with: work that must not run inside of what asked for it. */
export interface Later {
  runLater(): void
}

/** What hands over to the kernel, all at once, what the wires of an event have sent. */
export interface Submitter {
  submit(): void
}

const NOTHING: Corked = { flush() {} }
/** Only the first `waitingCount` count: emptying the array would give its memory away once per event. */
const waiting: Corked[] = []
let waitingCount = 0
const jobs: Later[] = []
let scheduled = false
/** Several events are dealt with as one. */
let batching = false
let submitter: Submitter | undefined

/** Sets who is called when wires have been flushed. */
export function submitBy(one: Submitter | undefined): void {
  submitter = one
}

/** Begins a row of events whose output leaves together at `endBatch`. */
export function beginBatch(): void {
  batching = true
  clock.inEvent = true
}

/** Ends a row of events. */
export function endBatch(): void {
  batching = false
  flushWires()
}

/** Ends one event of a row: what was postponed in it is done. */
export function runPostponed(): void {
  if (jobs.length > 0) runJobs()
}

/** Marks the start of an event whose end will call `flushWires`. */
export function beginEvent(): void {
  clock.inEvent = true
}

/** Remembers `wire` for the flush at the end of this event; the wire calls it once per event. */
export function cork(wire: Corked): void {
  waiting[waitingCount++] = wire
  schedule()
}

/** Calls `job.runLater()` when the event has been dealt with, before its output leaves. */
export function postpone(job: Later): void {
  jobs.push(job)
  schedule()
}

function schedule(): void {
  if (clock.inEvent || scheduled) return
  scheduled = true
  process.nextTick(flushScheduled)
}

/**
 * Runs what was postponed and sends what the event produced. Flushing may produce more (a drain that resumes a
 * producer): that is dealt with too.
 */
export function flushWires(): void {
  if (jobs.length > 0) runJobs()
  if (batching) return
  for (let i = 0; i < waitingCount; i++) {
    const wire = waiting[i]!
    waiting[i] = NOTHING
    wire.flush()
    if (jobs.length > 0) runJobs()
  }
  waitingCount = 0
  clock.inEvent = false
  submitter?.submit()
}

/** Jobs may postpone others: they run in this round. */
function runJobs(): void {
  for (let i = 0; i < jobs.length; i++) jobs[i]!.runLater()
  jobs.length = 0
}

function flushScheduled(): void {
  scheduled = false
  flushWires()
}
