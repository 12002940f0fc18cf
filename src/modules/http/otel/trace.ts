/** The trace that a request belongs to: made when it is first asked for, kept through internal redirects until the log. */
import { hashName } from '../../../http/message/field-names.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Held, Request } from '../../../http/request/request.ts'
import { requestId } from '../../../http/request/request-id.ts'
import { defineMark, defineSetting } from '../../../http/request/slots.ts'
import { randomId } from '../../../lib/random.ts'
import type { Exporter } from './exporter.ts'

const TRACEPARENT = hashName('traceparent')
const TRACESTATE = hashName('tracestate')
/** W3C Trace Context: version, trace, parent and flags; later versions may have more behind. */
const PARENT = /^(?!ff)([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/
const NOTHING = /^0+$/
const SPAN_ID_LENGTH = 16
/** Longer lists need not be passed on (W3C Trace Context, 3.3.1.5). */
const STATE_MAX = 8192

/** One `otel_span_attr`. */
interface SpanAttribute {
  readonly name: string
  readonly isList: boolean
  readonly value: Text
}

/** What a location says. */
export interface OtelConf {
  readonly exporter: Exporter | undefined
  readonly trace: Text | undefined
  readonly extract: boolean
  readonly inject: boolean
  readonly spanName: Text | undefined
  readonly attributes: readonly SpanAttribute[]
  /** Attributes have the names of the stable conventions. */
  readonly stable: boolean
  readonly upstreamSpans: boolean
}

/** The location's; undefined where nothing is traced. */
export const OTEL = defineSetting<OtelConf | undefined>(undefined)

/** The id was told, so that a client's trace is not taken over any more. */
const BEGUN = defineMark(1)

/** The trace of a request, if it has one. */
export function knownTrace(r: Request): Trace | undefined {
  // Few things are held, and most of the time this is the only one.
  for (let held = r.main.held; held !== undefined; held = held.nextHeld) if (held instanceof Trace) return held
  return undefined
}

/** A trace that the client has begun would be this request's. */
function takesOver(main: Request): boolean {
  return main.location.get(OTEL)?.extract === true && main.mark(BEGUN) === 0
}

/** Returns the trace of a request, made when there is none. */
export function traceOf(r: Request): Trace {
  const { main } = r
  const known = knownTrace(main)
  if (known !== undefined) return known
  const made = new Trace(main, takesOver(main))
  main.hold(made)
  return made
}

/**
 * `$otel_trace_id`. A trace that begins here has the id of its request: most that are asked, since that decides, are not traced,
 * and need no more.
 */
export function traceIdOf(r: Request): string {
  const known = knownTrace(r)
  if (known !== undefined) return known.traceId
  const { main } = r
  if (takesOver(main)) return traceOf(r).traceId
  main.setMark(BEGUN, 1)
  return requestId(main)
}

/** A number for a span. */
export function newSpanId(): string {
  return randomId().slice(0, SPAN_ID_LENGTH)
}

/** Ids in hexadecimal digits; an empty one is none. */
export class Trace implements Held {
  nextHeld: Held | undefined
  readonly traceId: string
  readonly parentId: string
  readonly parentSampled: boolean
  readonly state: string
  sampled = false
  readonly #r: Request
  #spanId = ''

  constructor(r: Request, extract: boolean) {
    this.#r = r
    const given = extract ? PARENT.exec(r.headers.valueOf(TRACEPARENT, 'traceparent') ?? '') : null
    const isSound = given !== null && !NOTHING.test(given[2]!) && !NOTHING.test(given[3]!)
    if (given === null || !isSound || (given[1] === '00' && given[5] !== undefined)) {
      this.traceId = requestId(r)
      this.parentId = this.state = ''
      this.parentSampled = false
      return
    }
    this.traceId = given[2]!
    this.parentId = given[3]!
    this.parentSampled = (Number.parseInt(given[4]!, 16) & 1) !== 0
    const state = r.headers.joined(TRACESTATE, 'tracestate', ',') ?? ''
    this.state = state.length > STATE_MAX ? '' : state
  }

  /** Made when somebody asks: most requests are not traced. */
  get spanId(): string {
    if (this.#spanId === '') this.#spanId = newSpanId()
    return this.#spanId
  }

  /** Back ends get this trace in the head of the request. */
  inject(): void {
    const { headers } = this.#r
    headers.removeAll(TRACEPARENT, 'traceparent')
    headers.addDecoded('traceparent', TRACEPARENT, `00-${this.traceId}-${this.spanId}-0${this.sampled ? 1 : 0}`)
    headers.removeAll(TRACESTATE, 'tracestate')
    if (this.state !== '') headers.addDecoded('tracestate', TRACESTATE, this.state)
  }

  onRequestEnd(): void {}
}
