/**
 * What is to be done when the event loop has come round once. A thread may stay with its sockets for a moment without going
 * round (net/ring-vigil.ts): that ends when somebody waits here.
 */

/** How many wait for the event loop to go on; counted here alone. */
export const loop = { awaited: 0 }

/** Calls back when other events had their turn, as `setImmediate` does. */
export function soon<T>(call: (about: T) => void, about: T): void {
  loop.awaited++
  setImmediate(run<T>, call, about)
}

function run<T>(call: (about: T) => void, about: T): void {
  loop.awaited--
  call(about)
}
