/**
 * Output is corked while an event is being handled and leaves in one system call per socket when the event ends.
 * Entries from the event loop into the data plane stand between `beginEvent` and `flushWires`; one that does not (a
 * promise that continues, a callback of a library) is caught by a tick of its own.
 */

/** What has output waiting for the end of the event. */
export interface Corked {
  flush(): void
}

const waiting: Corked[] = []
let inEvent = false
let scheduled = false

/** Marks the start of an event whose end will call `flushWires`. */
export function beginEvent(): void {
  inEvent = true
}

/** Remembers `wire` for the flush at the end of this event; the wire calls it once per event. */
export function cork(wire: Corked): void {
  waiting.push(wire)
  if (inEvent || scheduled) return
  scheduled = true
  process.nextTick(flushScheduled)
}

/** Sends what the event produced. Flushing may produce more (a drain that resumes a producer): that is sent too. */
export function flushWires(): void {
  for (let i = 0; i < waiting.length; i++) waiting[i]!.flush()
  waiting.length = 0
  inEvent = false
}

function flushScheduled(): void {
  scheduled = false
  flushWires()
}
