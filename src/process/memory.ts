/**
 * Gives memory back after a configuration was read. Reading one makes garbage of many times the size of what stays, and V8
 * would keep the room for the next time, in each thread, and so would the C library for what compiles JavaScript.
 */
import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from 'node:timers'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { trimAllocator } from '../sys/allocator.ts'

/** Less than this is not worth the pause: of a thread that serves, and of one that has nothing to do. */
const WORTH = 16 * 1024 * 1024
const WORTH_AT_REST = 4 * 1024 * 1024
/** How often a thread looks whether it has nothing to do, and what counts as nothing. */
const REST_MS = 1000
const LOOKS = 60
const BUSY = 0.005

/** Who has run no longer than this since it was started has learnt nothing. */
const LEARNS_MS = 100

/** More than this is not left lying, even for a moment. */
const MUCH = 64 * 1024 * 1024
/** Who stops at once, or is reloaded again, need not have collected. */
const LATER_MS = 2000

/** So often another thread may get in between. */
const TRIES = 10

type Collect = (options: { readonly type: 'major'; readonly flavor?: 'last-resort' }) => void
let collect: Collect | undefined
let usedBefore = 0
let rest: NodeJS.Timeout | undefined
let later: NodeJS.Timeout | undefined

/** Collects, and returns the room that is left: soon, or at once when there is much. For threads that serve nobody. */
export function giveBack(): void {
  clearTimeout(later)
  if (getHeapStatistics().total_physical_size > MUCH) giveBackNow()
  else later = setTimeout(giveBackNow, LATER_MS).unref()
}

function giveBackNow(): void {
  const { total_physical_size, used_heap_size } = getHeapStatistics()
  const garbage = Math.max(used_heap_size - usedBefore, 0)
  if (total_physical_size - used_heap_size + garbage >= WORTH_AT_REST) {
    collector()?.({ type: 'major', flavor: 'last-resort' })
    usedBefore = getHeapStatistics().used_heap_size
  }
  trimAllocator()
}

/**
 * For a thread that serves: a collection now, and one when it has nothing to do. Only that may be one of the last resort,
 * which returns the room but lets go of what V8 has learnt about the code: for a second each request costs twice as much.
 */
export function giveBackWhenIdle(): void {
  setImmediate(collectShortly)
  whenIdle(giveBackNow)
}

/** For a thread that has taken its first configuration: when it has nothing to do, and only as long as it has learnt nothing. */
export function giveBackAfterStart(): void {
  const begin = performance.eventLoopUtilization()
  whenIdle(() => {
    if (performance.eventLoopUtilization(begin).active < LEARNS_MS) giveBackNow()
    else trimAllocator()
  })
}

function whenIdle(work: () => void): void {
  let before = performance.eventLoopUtilization()
  let looks = 0
  // Of several reloads in a row the last one counts.
  clearInterval(rest)
  const timer = setInterval(() => {
    const busy = performance.eventLoopUtilization(before).utilization > BUSY
    before = performance.eventLoopUtilization()
    if (busy && ++looks < LOOKS) return
    clearInterval(timer)
    if (busy) trimAllocator()
    else work()
  }, REST_MS).unref()
  rest = timer
}

function collectShortly(): void {
  if (getHeapStatistics().used_heap_size - usedBefore < WORTH) return
  collector()?.({ type: 'major' })
  usedBefore = getHeapStatistics().used_heap_size
}

/** V8 shows its collector to contexts that are made after it was told to; undefined when it could not be had. */
function collector(): Collect | undefined {
  // The flags are those of all threads, another of which may take this one back at any time.
  for (let tries = 0; collect === undefined && tries < TRIES; tries++) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('globalThis.gc') as Collect | undefined
    // Threads to come load their code from caches, which are for these flags alone.
    setFlagsFromString('--no-expose-gc')
  }
  return collect
}
