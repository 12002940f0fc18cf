/**
 * How near a process is to its last descriptor. Node's library closes clients that it cannot accept, without a word, so
 * accepting must end before there are none left; what is left then is for back ends and files. The system gives the lowest
 * free number, so the number of a new descriptor tells how many there are at least. It does not tell how many there are at
 * most: who wants to accept again counts them.
 */
import fs from 'node:fs'

/** So many are kept for other things than clients: more in a process that may have many. */
const KEPT_MIN = 4
const KEPT_MAX = 32
const KEPT_SHARE = 8

/** In use before there were clients. */
let usedAtFirst = Number.POSITIVE_INFINITY

let onShortage = (_errno: string): void => {}

/** Sets who hears in this thread that something could not be opened. */
export function watchShortage(heard: (errno: string) => void): void {
  onShortage = heard
}

/** Tells why something could not be opened: the next who may be in need of a descriptor is a client. */
export function noteShortage(errno: string): void {
  if (errno === 'EMFILE' || errno === 'ENFILE') onShortage(errno)
}

/** Returns the number from which on a new descriptor means that no more clients may come. */
export function descriptorsMax(): number {
  const limit = limitOf(readLimits())
  // What is kept must not become less as more are in use.
  usedAtFirst = Math.min(usedAtFirst, openDescriptors())
  const kept = Math.floor((limit - usedAtFirst) / KEPT_SHARE)
  return limit - Math.min(Math.max(kept, KEPT_MIN), KEPT_MAX)
}

/**
 * There is room for some more below `max`. Where that are more than half of all that clients can have, half of those will do: who
 * asks for too many would wait for ever.
 */
export function hasDescriptors(count: number, max: number): boolean {
  return openDescriptors() + Math.min(count, Math.floor((max - usedAtFirst) / 2)) < max
}

/** How many are open: more than all when none is left to look with, and none where the system does not tell. */
function openDescriptors(): number {
  // tidy: once per reload, or when there are none left
  try {
    return fs.readdirSync('/proc/self/fd').length
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 0 : Number.POSITIVE_INFINITY
  }
}

function readLimits(): string {
  // tidy: once per reload, too
  try {
    return fs.readFileSync('/proc/self/limits', 'latin1')
  } catch {
    return ''
  }
}

/** The soft limit; where it is not known, there is none. */
function limitOf(limits: string): number {
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? []
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
}
