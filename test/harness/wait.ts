/** Waiting for what cannot say that it is there: conditions are asked again and again, nothing sleeps for a fixed time. */

const POLL_MS = 5
const WAIT_TIMEOUT_MS = 10_000
/** So many times in a row without a change: nothing moves any more. */
const STILL_COUNT = 30

/** Resolves when `condition` holds; fails when it does not in time. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_TIMEOUT_MS
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`timeout: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Resolves when `amount` has stopped changing: every buffer on the way is full, or empty. */
export async function standstill(amount: () => number): Promise<void> {
  let before = amount()
  let still = 0
  await until('a standstill', () => {
    const now = amount()
    still = now === before ? still + 1 : 0
    before = now
    return still >= STILL_COUNT
  })
}
