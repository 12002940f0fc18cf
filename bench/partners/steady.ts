/**
 * Requests at a fixed rate, whatever the server makes of it: one is due every so often, over whichever connection is free,
 * and its time counts from when it was due. So who falls behind is charged for all that had to wait meanwhile, which a load
 * that only asks when it was answered leaves out (coordinated omission). Without a rate each connection asks as soon as it
 * was answered.
 */
import type net from 'node:net'
import { connectTo, type Link, partner, type Tally, type Task } from './partner.ts'

const BODY = '{"id":1,"name":"a small response"}'
const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
)
const HEAD_END = '\r\n\r\n'

partner(serve, load)

function serve(socket: net.Socket): void {
  socket.on('data', () => socket.write(ANSWER))
}

function load(task: Task, tally: Tally): Link {
  return new Steady(task, tally)
}

/** All connections of one measurement. */
class Steady implements Link {
  readonly #tally: Tally
  /** Time between two requests; undefined: none is due before the last one was answered. */
  readonly #everyMs: number | undefined
  readonly #lanes: readonly Lane[]
  readonly #free: Lane[] = []
  /** When those were due that wait for a connection. */
  readonly #waiting: number[] = []
  #dueMs = Number.POSITIVE_INFINITY
  #closed = false
  readonly #look = (everyMs: number): void => this.#turn(everyMs)

  constructor(task: Task, tally: Tally) {
    this.#tally = tally
    this.#everyMs = task.rate === undefined ? undefined : 1000 / task.rate
    this.#lanes = Array.from({ length: task.connections }, () => new Lane(task, this))
    if (this.#everyMs !== undefined) this.#turn(this.#everyMs)
  }

  /** No timer is as fine as this has to be: the process looks again and again, on a core that it has for itself. */
  #turn(everyMs: number): void {
    if (this.#closed) return
    for (const now = performance.now(); this.#dueMs <= now; this.#dueMs += everyMs) {
      const lane = this.#free.shift()
      if (lane === undefined) this.#waiting.push(this.#dueMs)
      else lane.ask(this.#dueMs)
    }
    setImmediate(this.#look, everyMs)
  }

  /** A connection is there; with the last one begins what is measured. */
  opened(lane: Lane): void {
    if (this.#everyMs === undefined) return lane.ask(performance.now())
    this.#free.push(lane)
    if (this.#free.length === this.#lanes.length) this.#dueMs = performance.now()
  }

  answered(lane: Lane, dueMs: number): void {
    const now = performance.now()
    this.#tally.add(now - dueMs)
    const next = this.#everyMs === undefined ? now : this.#waiting.shift()
    if (next === undefined) this.#free.push(lane)
    else lane.ask(next)
  }

  close(): void {
    this.#closed = true
    for (const lane of this.#lanes) lane.close()
  }
}

/** One connection, with at most one request under way. The first one tells how long all answers are. */
class Lane implements Link {
  readonly #steady: Steady
  readonly #socket: net.Socket
  readonly #request: Buffer
  #dueMs = 0
  #size = 0
  #missing = 0

  constructor(task: Task, steady: Steady) {
    this.#steady = steady
    const { pathname, search } = new URL(task.url)
    this.#request = Buffer.from(`GET ${pathname}${search} HTTP/1.1\r\nHost: bench\r\n\r\n`)
    this.#socket = connectTo(task)
    this.#socket.on('data', (bytes) => {
      if (this.#size === 0) this.#first(bytes.toString('latin1'))
      else this.#more(bytes.length)
    })
    this.#socket.write(this.#request)
  }

  ask(dueMs: number): void {
    this.#dueMs = dueMs
    this.#missing = this.#size
    this.#socket.write(this.#request)
  }

  #first(text: string): void {
    const length = Number(/^content-length: (\d+)/im.exec(text)?.[1])
    this.#size = text.indexOf(HEAD_END) + HEAD_END.length + length
    if (!text.startsWith('HTTP/1.1 200 ') || text.length !== this.#size) throw new Error(`no small response:\n${text}`)
    this.#steady.opened(this)
  }

  #more(size: number): void {
    this.#missing -= size
    if (this.#missing < 0) throw new Error('an answer is not as long as the first one')
    if (this.#missing === 0) this.#steady.answered(this, this.#dueMs)
  }

  close(): void {
    this.#socket.destroy()
  }
}
