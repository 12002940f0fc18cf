/**
 * limit_rate and limit_rate_after (ngx_http_core_module; nginx has them in its write filter): holds a response back to
 * so many bytes per second, its head included. The arithmetic is nginx's: whole seconds since the request began give what
 * may be out by now, and each write is followed by the pause that it has used up.
 */
import { parseSize } from '../../config/units.ts'
import { httpModule } from '../../http/compile/module.ts'
import { compileSize } from '../../http/compile/size.ts'
import { type BodySink, LAST, STABLE } from '../../http/message/body.ts'
import { CONNECT } from '../../http/message/method.ts'
import type { Request } from '../../http/request/request.ts'
import { HoldingFilter } from '../../http/response/holding-filter.ts'
import { unlimitedBytes } from '../../http/response/paced.ts'
import { clock } from '../../lib/clock.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'

type SizeOf = (r: Request) => number

interface RateConf {
  /** Undefined when it is 0. */
  readonly rate: SizeOf | undefined
  readonly after: SizeOf
}

/** The module list's entry; it stands last, so that its filter is the one nearest to the client. */
export const limitRateModule = httpModule({
  name: 'http_limit_rate',
  doc: 'Limits the rate of responses.',
  directives: {},
  attach(_conf, plan, at) {
    const { limit_rate, limit_rate_after } = at.location.core
    const never = limit_rate.constant !== undefined && parseSize(limit_rate.constant) === 0
    const rate = never ? undefined : compileSize(limit_rate, at)
    plan.headerFilter(limitRate, { rate, after: compileSize(limit_rate_after, at) })
  },
})

function limitRate(r: Request, conf: RateConf): void {
  if (r.limitRate === 0 || (conf.rate === undefined && r.limitRate < 0) || r.headerOnly || r !== r.main) return
  const rate = r.limitRate > 0 ? r.limitRate : conf.rate!(r)
  if (rate === 0) return
  // `$limit_rate` tells.
  r.limitRate = rate
  const after = r.get(unlimitedBytes) ?? conf.after(r)
  // What follows the head of a tunnel goes past the filters.
  if (r.out.status === 101 || r.methodBit === CONNECT) return
  r.headPaced = !r.headLater && r.carrier.passHead !== undefined
  r.addBodyFilter((next) => new LimitedBody(next, r, rate, after))
}

class LimitedBody extends HoldingFilter implements TimerOwner {
  readonly #rate: number
  readonly #after: number
  readonly #timer = new Timer(this)
  readonly #startSeconds: number
  /** Bytes out, the head included. */
  #sent = 0
  /** Bytes of the head that are still to be sent. */
  #head: number
  /** Bytes that are out and were followed by no pause: those of a head that is short. */
  #unpaced = 0
  #held: Uint8Array | undefined
  #heldFlags = 0
  /** The pause of the last write is not over. */
  #delayed = false
  /** The client takes no more for now. */
  #full = false

  constructor(next: BodySink, r: Request, rate: number, after: number) {
    super(next, r)
    this.#rate = rate
    this.#after = after
    this.#startSeconds = Math.floor(r.startMs / 1000)
    this.#head = r.headPaced ? r.headLength : 0
    if (this.#head > this.#allowed()) this.#send()
    else if (this.#head > 0) this.#passHead(this.#head)
    this.#unpaced = this.#delayed ? 0 : this.#sent
  }

  /** How many bytes may follow now. */
  #allowed(): number {
    return this.#rate * (clock.seconds - this.#startSeconds + 1) - (this.#sent - this.#after)
  }

  #passHead(size: number): void {
    this.#head -= size
    this.#sent += size
    this.r.carrier.passHead!(size)
  }

  write(bytes: Uint8Array, flags: number): boolean {
    // A filter may have more to say after it was told to wait: the end of what it packs, say.
    if (this.#held !== undefined) return this.#append(this.#held, bytes, flags)
    this.#held = bytes
    this.#heldFlags = flags
    if (this.#send()) return !this.#full || this.stall()
    if ((flags & STABLE) === 0) this.#held = Buffer.from(this.#held as Uint8Array)
    return this.stall()
  }

  #append(held: Uint8Array, bytes: Uint8Array, flags: number): false {
    this.#held = Buffer.concat([held, bytes])
    this.#heldFlags |= flags
    return false
  }

  /** Sends what may be sent now; true when nothing is held any more. */
  #send(): boolean {
    while ((this.#held !== undefined || this.#head > 0) && !this.#delayed && !this.#full) {
      const size = this.#head + (this.#held?.length ?? 0)
      const limit = this.#allowed()
      if (size > 0 && limit <= 0) {
        this.#pause(Math.floor((-limit * 1000) / this.#rate) + 1)
        return false
      }
      this.#pass(Math.min(limit, size))
    }
    return this.#held === undefined
  }

  /** Sends so many bytes of what is left of the head and of the body. */
  #pass(size: number): void {
    const before = this.#sent - this.#unpaced
    this.#unpaced = 0
    const ofHead = Math.min(size, this.#head)
    if (ofHead > 0) this.#passHead(ofHead)
    if (this.#head === 0 && this.#held !== undefined && this.#passBody(this.#held, size - ofHead)) return
    const used = Math.max(0, this.#sent - this.#after) - Math.max(0, before - this.#after)
    const delay = Math.floor((used * 1000) / this.#rate)
    if (delay > 0) this.#pause(delay)
  }

  /** True when these were the last bytes of the response. */
  #passBody(held: Uint8Array, size: number): boolean {
    this.#sent += size
    const flags = this.#heldFlags
    if (size < held.length) {
      this.#held = held.subarray(size)
      this.#full = !this.next.write(held.subarray(0, size), flags & STABLE)
      return false
    }
    this.#held = undefined
    const last = (flags & LAST) !== 0
    if (last) {
      this.drop()
      this.step()
    }
    this.#full = !this.next.write(held, flags)
    return last
  }

  #pause(ms: number): void {
    this.#delayed = true
    setTimer(this.#timer, ms)
  }

  onTimeout(): void {
    this.#delayed = false
    this.#goOn()
  }

  onDrain(): void {
    this.#full = false
    this.#goOn()
  }

  #goOn(): void {
    if (this.r.ended || !this.#send() || this.#full) return
    this.step()?.onDrain()
  }

  protected drop(): void {
    this.#held = undefined
    this.#head = 0
    cancelTimer(this.#timer)
  }
}
