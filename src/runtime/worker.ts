/** One worker's serving side: the current program, its listeners and its connections. */
import { ERROR, type ErrorLog } from '../log/error-log.ts'
import { Listener } from '../net/listener.ts'
import { Wire, type WireOwner } from '../net/wire.ts'
import type { Program } from './program.ts'

/** What a worker gets from the thread that it runs in. */
export interface WorkerEnv {
  readonly workerId: number
  readonly log: ErrorLog
}

/** Serves a program; `install` swaps to another one without closing anything. */
export class WorkerRuntime {
  readonly #env: WorkerEnv
  readonly #listeners = new Map<string, Listener>()
  readonly #connections = new Set<Connection>()
  #program: Program | undefined
  #done: (() => void) | undefined

  constructor(env: WorkerEnv) {
    this.#env = env
  }

  install(program: Program): void {
    this.#program = program
  }

  listen(key: string, fd: number): void {
    const spec = this.#program?.listens.find((listen) => listen.key === key)
    const owner = {
      onAccept: (handle: { close(): void }) => {
        this.#connections.add(new Connection(new Wire(handle), (c) => this.#gone(c)))
      },
      onAcceptError: (errno: number) => this.#env.log.write(ERROR, `accept4() failed (${errno})`),
    }
    this.#listeners.set(key, new Listener(owner, fd, spec?.backlog ?? 511))
  }

  unlisten(key: string): void {
    this.#listeners.get(key)?.close()
    this.#listeners.delete(key)
  }

  reopenLogs(): void {}

  stop(graceful: boolean, done: () => void): void {
    for (const key of [...this.#listeners.keys()]) this.unlisten(key)
    this.#done = done
    for (const c of this.#connections) if (!graceful || c.idle) c.wire.destroy()
    if (this.#connections.size === 0) done()
  }

  #gone(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#done?.()
  }
}

/** Answers every request head with the same page. */
class Connection implements WireOwner {
  readonly wire: Wire
  readonly #gone: (connection: Connection) => void
  #text = ''

  constructor(wire: Wire, gone: (connection: Connection) => void) {
    this.wire = wire
    this.#gone = gone
    wire.owner = this
  }

  get idle(): boolean {
    return this.#text === ''
  }

  onBytes(buffer: Buffer, size: number): void {
    this.#text += buffer.latin1Slice(0, size)
    if (!/\r?\n\r?\n/.test(this.#text)) return
    this.#text = ''
    this.wire.write('HTTP/1.1 200 OK\r\nServer: viaduct\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n')
    this.wire.end()
  }

  onDrain(): void {}

  onEnd(): void {
    this.wire.destroy()
  }

  onClose(): void {
    this.#gone(this)
  }
}
