/**
 * Sends spans in batches: a batch goes when it is full, or `interval` after its first span. While `batch_count` of them are
 * on their way or wait, spans are dropped, so that a collector that is slow or away costs no memory.
 */
import { type CallOwner, GrpcCaller, type GrpcTarget } from '../../../http/exchange/grpc-call.ts'
import { clock } from '../../../lib/clock.ts'
import { grpcMessage, SpanBatch, shownText } from '../../../lib/otlp.ts'
import { OtlpPoster } from '../../../lib/otlp-http.ts'
import { ERROR, type ErrorLog, NOTICE } from '../../../log/error-log.ts'
import { beginEvent, flushWires } from '../../../net/flush.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../../net/timer-wheel.ts'

/** How it is sent: calls of gRPC, or posts over HTTP. */
export type Collector = GrpcTarget | OtlpPoster

/** `otel_exporter` as it was configured. */
interface ExporterOptions {
  readonly batchSize: number
  readonly batchCount: number
  readonly intervalMs: number
  /** Messages that are the same in each batch. */
  readonly resource: Buffer
  readonly scope: Buffer
}

/** What a worker has to send. */
export class Exporter implements CallOwner, TimerOwner {
  readonly #options: ExporterOptions
  readonly #caller: GrpcCaller | undefined
  readonly #poster: OtlpPoster | undefined
  readonly #log: ErrorLog
  readonly #timer = new Timer(this)
  #batch: SpanBatch | undefined
  /** Full batches; the first is being sent. */
  readonly #queue: Buffer[] = []
  #dropped = 0
  #toldS = 0
  /** Called when there is nothing left to send. */
  #leave: (() => void) | undefined

  constructor(collector: Collector, options: ExporterOptions, log: ErrorLog) {
    this.#options = options
    this.#log = log
    this.#poster = collector instanceof OtlpPoster ? collector : undefined
    this.#caller = collector instanceof OtlpPoster ? undefined : new GrpcCaller(collector)
  }

  /** Where a span may be written; undefined: it is dropped. `added` is called behind it. */
  room(): SpanBatch | undefined {
    if (this.#batch !== undefined) return this.#batch
    if (this.#queue.length >= this.#options.batchCount) {
      this.#drop()
      return undefined
    }
    this.#batch = new SpanBatch()
    setTimer(this.#timer, this.#options.intervalMs)
    return this.#batch
  }

  added(): void {
    if (this.#batch !== undefined && this.#batch.count >= this.#options.batchSize) this.#flush()
  }

  #drop(): void {
    this.#dropped++
    if (this.#toldS === clock.seconds) return
    this.#toldS = clock.seconds
    this.#log.write(NOTICE, `OTel dropped records: ${this.#dropped}`)
  }

  onTimeout(): void {
    beginEvent()
    this.#flush()
    flushWires()
  }

  #flush(): void {
    const batch = this.#batch
    if (batch === undefined || batch.count === 0) return
    this.#batch = undefined
    cancelTimer(this.#timer)
    const { resource, scope } = this.#options
    this.#queue.push(batch.finish(resource, scope))
    if (this.#queue.length === 1) this.#send()
  }

  #send(): void {
    const [message] = this.#queue
    if (message === undefined) {
      this.#leave?.()
      this.#leave = undefined
    } else if (this.#caller !== undefined) this.#caller.call(grpcMessage(message), this)
    else this.#poster?.post(message, (problem) => this.onCallEnd(problem))
  }

  onCallEnd(problem: string): void {
    if (problem !== '') this.#log.write(ERROR, `OTel export failure: ${shownText(problem)}`)
    this.#queue.shift()
    this.#send()
  }

  /** The worker ends: sends what is there, then calls `done`. */
  leave(done: () => void): void {
    clock.update()
    beginEvent()
    this.#flush()
    if (this.#queue.length === 0) done()
    else this.#leave = done
    flushWires()
  }

  /** The configuration is replaced: what is under way goes on. */
  close(): void {
    this.#caller?.close()
  }
}
