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
}

/** What a partner measured. */
export interface Measured {
  readonly count: number
  readonly perSecond: number
  readonly p99Ms: number
}

/** What a partner says. */
export type FromPartner = { readonly port: number } | { readonly measured: Measured } | { readonly failed: string }

/** One connection to the server under test: begins, and is over when it is told to. */
export interface Link {
  close(): void
}

/** Counts what came back, and how long it took. */
export class Tally {
  count = 0
  readonly #times: number[] = []

  add(ms: number): void {
    this.count++
    this.#times.push(ms)
  }

  measured(seconds: number): Measured {
    const sorted = Float64Array.from(this.#times).sort()
    return {
      count: this.count,
      perSecond: this.count / seconds,
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
    }
  }
}

/**
 * Serves and loads: `backEnd` answers connections of the server under test, `open` makes one connection to it that adds
 * to the tally what it gets.
 */
export function partner(
  backEnd: (socket: net.Socket) => void,
  open: (task: Task, n: number, tally: Tally) => Link,
): void {
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
    const links = Array.from({ length: task.connections }, (_, n) => open(task, n, tally))
    const start = performance.now()
    setTimeout(() => {
      const seconds = (performance.now() - start) / 1000
      if (tally.count < task.connections)
        say({ failed: `${tally.count} came back over ${task.connections} connections` })
      else say({ measured: tally.measured(seconds) })
      for (const link of links) link.close()
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
