/**
 * What this thread has counted in zones and must count back: one entry for each, in memory that the engine keeps, so that
 * it can do so when the thread dies. V8 ends a thread only where a function begins or a loop goes round. So whoever counts
 * calls `noteHolding` first, whoever counts back `letGo`, and changes the count in the same straight line, calling nothing
 * in between: then no thread can die between a count and its note.
 *
 *     { zone id, or 0 when the entry is free | the word or record, or what leads to the next free entry } x ENTRIES
 *
 * The memory is large and costs only what was ever used of it. Counts beyond it are not noted: they would be lost with
 * the thread.
 */

const ENTRIES = 1 << 19
const ENTRY = 2
/** Bytes of memory for one thread. */
export const HOLDINGS_SIZE = ENTRIES * ENTRY * 4
/** Added to the place of a free entry, so that no entry that was used is blank. */
const FREE_BASE = 2
/** No entry. */
export const NOT_NOTED = -1

let words: Int32Array = new Int32Array(0)
/** Entries from here on were never used. */
let used = 0
let free = NOT_NOTED

/** Gives this thread its memory, blank; until then nothing is noted. */
export function noteHoldingsIn(memory: SharedArrayBuffer): void {
  words = new Int32Array(memory)
  used = 0
  free = NOT_NOTED
}

/** Notes one count that is made next; the result goes to `letGo`, once. */
export function noteHolding(zoneId: number, place: number): number {
  let entry = free
  if (entry !== NOT_NOTED) free = words[entry + 1]! - FREE_BASE
  else if (used < words.length) {
    entry = used
    used += ENTRY
  } else return NOT_NOTED
  words[entry + 1] = place
  words[entry] = zoneId
  return entry
}

/** The count is taken back next. */
export function letGo(entry: number): void {
  if (entry === NOT_NOTED) return
  words[entry] = 0
  words[entry + 1] = free + FREE_BASE
  free = entry
}

/** The places that a dead thread held in a zone. */
export function heldIn(memory: SharedArrayBuffer, zoneId: number): number[] {
  const entries = new Int32Array(memory)
  const places: number[] = []
  const end = endOf(entries)
  for (let at = 0; at < end; at += ENTRY) if (entries[at] === zoneId) places.push(entries[at + 1]!)
  return places
}

/** All that a dead thread held has been counted back: makes its memory blank. */
export function forgetHeld(memory: SharedArrayBuffer): void {
  const entries = new Int32Array(memory)
  entries.fill(0, 0, endOf(entries))
}

/** Entries that were never used are blank, and so is all behind the first of them. */
function endOf(entries: Int32Array): number {
  let at = 0
  while (at < entries.length && (entries[at] !== 0 || entries[at + 1] !== 0)) at += ENTRY
  return at
}
