/** What is put in order when a thread has ended: locks that it held, and counts that it cannot take back any more. */
import { Flights } from './cache/flights.ts'
import { CacheIndex } from './cache/index.ts'
import { CACHE_ZONE_KIND } from './cache/memory.ts'
import { ConnRecords } from './conn-records.ts'
import { heldIn, NOT_NOTED } from './holdings.ts'
import type { Handle } from './table.ts'
import { endTallyOf, TALLY_KIND } from './tally.ts'
import { Zone } from './zone.ts'

/** Kind of the zones whose counts are records of a table; those of others are words. */
const RECORDS = 'limit_conn'

/** A thread that is gone. */
export interface DeadThread {
  readonly threadId: number
  /** What it noted its counts in. */
  readonly holdings: SharedArrayBuffer
}

/**
 * Lets go of what a thread held when it ended; `buffers` may hold anything, what is not a zone is left alone. Its notes must be
 * blank (`forgetHeld`) before this is asked again, as for one that is told to stop when it has died already.
 */
export function releaseThread(buffers: Iterable<SharedArrayBuffer>, { threadId, holdings }: DeadThread): void {
  for (const buffer of buffers) {
    const zone = Zone.find('', buffer)
    if (zone === undefined) continue
    zone.lock.release(threadId)
    if (zone.is(TALLY_KIND)) {
      endTallyOf(zone, threadId)
      continue
    }
    const places = heldIn(holdings, zone.id)
    if (zone.is(CACHE_ZONE_KIND)) endUses(zone, places, threadId)
    else if (places.length > 0) countBack(zone, places)
  }
}

function countBack(zone: Zone, places: readonly number[]): void {
  if (zone.is(RECORDS)) {
    const records = new ConnRecords(zone)
    for (const place of places) records.release(place as Handle, NOT_NOTED)
    return
  }
  zone.lock.enter()
  for (const place of places) if (zone.words[place]! > 0) zone.words[place] = zone.words[place]! - 1
  zone.lock.leave()
}

function endUses(zone: Zone, places: readonly number[], threadId: number): void {
  const flights = new Flights(new CacheIndex(zone))
  flights.endOf(threadId)
  flights.giveBack(places)
}
