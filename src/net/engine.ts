/**
 * What drives the sockets of this thread: Node's handles, or a ring of its own (docs/adr/0020). The choice is made once,
 * before the first socket is opened. TLS is on handles in either case.
 */
import { getSystemErrorName } from 'node:util'
import { errnoText } from '../lib/errno.ts'
import { calls } from '../sys/calls.ts'
import { ASKED, Ring } from './ring.ts'
import { Estate } from './ring-estate.ts'

let ring: Ring | undefined

/** The ring of this thread, if it has one. */
export function threadRing(): Ring | undefined {
  return ring
}

/** Gives this thread a ring; a text says why it has none. In `estate` is what the thread leaves when it dies. */
export function startRing(estate: SharedArrayBuffer | undefined): string {
  if (ring !== undefined) return ''
  const made = openRing()
  if (typeof made === 'string') return made
  const started = made.start(estate === undefined ? undefined : new Estate(estate))
  if (started < 0) {
    made.close()
    return noRing(started)
  }
  ring = made
  return ''
}

/** Closes what a thread that is gone had on its ring. */
export function settleEstate(memory: SharedArrayBuffer): void {
  const estate = new Estate(memory)
  const system = estate.used ? calls() : ''
  if (typeof system !== 'string') estate.settle(system, ASKED.ACCEPT)
}

/** Says why a thread of this program can have no ring; empty when it can. */
export function whyNoRing(): string {
  const made = openRing()
  if (typeof made === 'string') return made
  made.close()
  return ''
}

/** Some output of this thread waits for its peers. */
export function ringIsSending(): boolean {
  return ring?.sending ?? false
}

function openRing(): Ring | string {
  const system = calls()
  if (typeof system === 'string') return system
  const made = Ring.open(system)
  if (typeof made !== 'number') return made
  return noRing(made)
}

function noRing(errno: number): string {
  return `io_uring_setup() failed ${errnoText(getSystemErrorName(errno))}`
}
