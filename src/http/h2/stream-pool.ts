/** Streams of one thread that nobody uses: with their requests they are too large to be made for each request. */
import { H2Stream, type StreamHost } from './stream.ts'

const FREE_MAX = 512
const free: H2Stream[] = []

/** Takes a stream; `begin` makes it ready. Must not be called from inside of a request. */
export function takeStream(host: StreamHost): H2Stream {
  return free.pop() ?? new H2Stream(host)
}

/** Gives a stream back whose request is over; who still holds that may look at it until the next `takeStream`. */
export function giveStream(stream: H2Stream): void {
  if (free.length < FREE_MAX && stream.reusable) free.push(stream)
}
