/**
 * The open streams of a connection by their ids: one array with free places in it. Ids go up by two, so that streams that
 * are open together stand side by side, each in its own place; one whose place is taken stands in the next free one.
 *
 * A `Map` would hold what has long been taken out (lib/roster.ts tells why).
 */

const PLACES_FIRST = 8

/** Streams of either side. */
export class StreamTable<T extends { readonly id: number }> {
  /** Never more than half of them are taken; as many as a power of two. */
  #places: (T | undefined)[] = new Array<T | undefined>(PLACES_FIRST).fill(undefined)
  #count = 0

  get count(): number {
    return this.#count
  }

  get(id: number): T | undefined {
    return this.#places[this.#find(id)]
  }

  /** Puts in a stream whose id is not there. */
  add(stream: T): void {
    if (this.#count * 2 >= this.#places.length) this.#grow()
    this.#places[this.#find(stream.id)] = stream
    this.#count++
  }

  /** Takes a stream out; false when it is not there. */
  delete(id: number): boolean {
    const places = this.#places
    let free = this.#find(id)
    if (places[free] === undefined) return false
    this.#count--
    const mask = places.length - 1
    // Who had to stand further on comes nearer, or would not be found any more.
    for (let at = (free + 1) & mask; places[at] !== undefined; at = (at + 1) & mask) {
      if (((at - this.#home(places[at]!.id)) & mask) < ((at - free) & mask)) continue
      places[free] = places[at]
      free = at
    }
    places[free] = undefined
    return true
  }

  clear(): void {
    this.#places.fill(undefined)
    this.#count = 0
  }

  /** Those that are open now, in the order of their ids, in a list of its own: they may end while one goes through it. */
  all(): T[] {
    const streams: T[] = []
    for (const stream of this.#places) if (stream !== undefined) streams.push(stream)
    return streams.sort((a, b) => a.id - b.id)
  }

  #home(id: number): number {
    return (id >>> 1) & (this.#places.length - 1)
  }

  /** Where a stream stands, or would. */
  #find(id: number): number {
    const places = this.#places
    const mask = places.length - 1
    let at = this.#home(id)
    for (let stream = places[at]; stream !== undefined && stream.id !== id; stream = places[at]) at = (at + 1) & mask
    return at
  }

  #grow(): void {
    const streams = this.all()
    this.#places = new Array<T | undefined>(this.#places.length * 2).fill(undefined)
    for (const stream of streams) this.#places[this.#find(stream.id)] = stream
  }
}
