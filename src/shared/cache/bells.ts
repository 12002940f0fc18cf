/**
 * Waking threads: each has a bell, a word that somebody adds one to, and one wait for it at a time however many requests
 * wait in it. Ringing costs a third of a microsecond; a thread that is rung at looks at what its requests wait for.
 */
import { threadId } from 'node:worker_threads'
import * as at from './layout.ts'

const BELL_COUNT = 32

/** This thread's bit in the masks of those who wait. Threads far apart may share one and wake each other for nothing. */
export const BELL_BIT = 1 << (threadId % BELL_COUNT)

/** The bit of the main thread, where the files are looked after. */
export const KEEPER_BIT = 1

/** Rings at the threads of a mask. */
export function ring(words: Int32Array, mask: number): void {
  for (let left = mask; left !== 0; left &= left - 1) {
    const bell = at.BELLS + (31 - Math.clz32(left & -left))
    Atomics.add(words, bell, 1)
    Atomics.notify(words, bell)
  }
}

/** Listens to this thread's bell in one zone for as long as somebody waits. */
export class Bell {
  readonly #words: Int32Array
  readonly #rung: () => void
  #listening = false

  /** `rung` is called between events, and says whether to go on listening. */
  constructor(words: Int32Array, rung: () => boolean) {
    this.#words = words
    this.#rung = () => {
      this.#listening = false
      if (rung()) this.listen()
    }
  }

  /** To be called before what is waited for is looked at for the last time. */
  listen(): void {
    if (this.#listening) return
    this.#listening = true
    const bell = at.BELLS + (threadId % BELL_COUNT)
    const wait = Atomics.waitAsync(this.#words, bell, Atomics.load(this.#words, bell))
    // tidy: the one way to learn of another thread's doing without asking again and again; one promise for all requests.
    if (wait.async) wait.value.then(this.#rung)
    else setImmediate(this.#rung)
  }
}
