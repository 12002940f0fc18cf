/**
 * A partner is a process that is both the back end and the client of the server under test, because what it measures goes
 * to and fro. It tells its port, then loads a server whenever it is told to.
 */
import net from 'node:net'

/** What a partner is told. */
export interface Task {
  readonly url: string
  readonly seconds: number
  readonly connections: number
  /** Requests per second over all connections, for who keeps to one; else as many as are answered. */
  readonly rate?: number
}

/** What a measurement came to. */
export interface Measured {
  readonly count: number
  readonly perSecond: number
  readonly p99Ms: number
}

/** The same by who has timed each request. */
export interface Timed extends Measured {
  readonly p50Ms: number
  readonly p999Ms: number
}

/** What a partner says. */
export type FromPartner = { readonly port: number } | { readonly measured: Timed } | { readonly failed: string }

/** One connection to the server under test, or all of them: begins, and is over when it is told to. */
export interface Link {
  close(): void
}

/** Loads a server: adds to the tally what comes back. */
type Load = (task: Task, tally: Tally) => Link

/** Counts what came back, and how long it took. */
export class Tally {
  count = 0
  readonly #times: number[] = []

  add(ms: number): void {
    this.count++
    this.#times.push(ms)
  }

  measured(seconds: number): Timed {
    const sorted = Float64Array.from(this.#times).sort()
    const quantile = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
    const [p50Ms, p99Ms, p999Ms] = [quantile(0.5), quantile(0.99), quantile(0.999)]
    return { count: this.count, perSecond: this.count / seconds, p50Ms, p99Ms, p999Ms }
  }
}

/** A load of connections that know nothing of each other; `open` makes the one with number `n`. */
export function each(open: (task: Task, n: number, tally: Tally) => Link): Load {
  return (task, tally) => {
    const links = Array.from({ length: task.connections }, (_, n) => open(task, n, tally))
    return {
      close() {
        for (const link of links) link.close()
      },
    }
  }
}

/** Serves and loads: `backEnd` answers connections of the server under test. */
export function partner(backEnd: (socket: net.Socket) => void, load: Load): void {
  const say = (message: FromPartner): void => {
    process.send!(message)
  }
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    backEnd(socket)
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () =>
    say({ port: (server.address() as net.AddressInfo).port }),
  )
  process.on('message', (task: Task) => {
    const tally = new Tally()
    const link = load(task, tally)
    const start = performance.now()
    setTimeout(() => {
      const seconds = (performance.now() - start) / 1000
      if (tally.count < task.connections)
        say({ failed: `${tally.count} came back over ${task.connections} connections` })
      else say({ measured: tally.measured(seconds) })
      link.close()
    }, task.seconds * 1000)
  })
  process.on('disconnect', () => process.exit(0))
}

/** Connects to the server under test. */
export function connectTo({ url }: Task): net.Socket {
  const { hostname, port } = new URL(url)
  const socket = net.connect({ host: hostname, port: Number(port), noDelay: true })
  socket.on('error', () => socket.destroy())
  return socket
}
