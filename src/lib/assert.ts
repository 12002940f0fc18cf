/**
 * Assertions for programmer errors. A failed one ends the worker, which is replaced; nothing that a peer, a client, a
 * configuration or the operating system can cause may be asserted.
 */

/** Throws when `cond` is false. One condition per call; `message` says what was expected. */
export function assert(cond: boolean, message: string): asserts cond {
  if (!cond) throw new Error('assertion failed: ' + message)
}
