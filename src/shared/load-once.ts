/** What a zone begins with, loaded by one thread for all, also when the first to do so ends in the middle. */

const LOADING = 1
const LOADED = 2
/** Nobody waits longer for another thread that loads. */
const LOAD_WAIT_MS = 2000

/**
 * Calls `load` in the first thread that asks; the others wait until it is done. The word `at` says how far it is, and is 0
 * in the beginning. `load` may be called again by another thread, and must come to the same then.
 */
export function loadOnce(words: Int32Array, at: number, load: () => void): void {
  const before = Atomics.compareExchange(words, at, 0, LOADING)
  if (before === LOADED) return
  // Whoever loads may have ended: then this thread does it again.
  if (before === LOADING && Atomics.wait(words, at, LOADING, LOAD_WAIT_MS) !== 'timed-out') return
  load()
  Atomics.store(words, at, LOADED)
  Atomics.notify(words, at)
}
