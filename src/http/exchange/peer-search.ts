/** Which peers of its group a request has tried, what came of that, and who is next. */
import { clock } from '../../lib/clock.ts'
import { ERROR } from '../../log/error-log.ts'
import type { Wire } from '../../net/wire.ts'
import { FAILED, type Outcome, type PeerGroup, Selection } from '../../upstream/group.ts'
import type { Peer } from '../../upstream/peer.ts'
import { LOCK, PATCH, POST } from '../message/method.ts'
import { Attempt, Attempts } from '../request/attempts.ts'
import type { Request } from '../request/request.ts'
import type { ExchangeConf } from './conf.ts'
import { DENIED, failureStatus, NON_IDEMPOTENT } from './failure.ts'

/** Methods that must not be sent twice unless `non_idempotent` says so. */
const NON_IDEMPOTENT_METHODS = POST | LOCK | PATCH

export class PeerSearch {
  readonly attempts = new Attempts()
  readonly selection = new Selection()
  group!: PeerGroup
  /** The one under way, or the last. */
  attempt = new Attempt()
  /** The search is over because a peer may not be asked. */
  denied = false
  #startMs = 0
  #newSeries = false

  begin(): void {
    this.#startMs = clock.monotonic
    this.#newSeries = this.attempts.count > 0
  }

  /** The group is known. */
  resolved(group: PeerGroup, triesMax: number): void {
    this.group = group
    this.denied = false
    this.selection.begin(group, triesMax)
  }

  /** The next peer, if one can be had; the attempt with it has begun. */
  next(r: Request, conf: ExchangeConf): Peer | undefined {
    const { key, sticky } = this.group
    for (;;) {
      const peer = this.selection.next(key?.(r as never) ?? '', sticky?.serverOf(r as never))
      if (peer === undefined) return undefined
      sticky?.onPick(r as never, peer)
      this.beginAttempt(peer.address.name).server = peer.server
      if (conf.denies === undefined || !conf.denies(r)) return peer
      this.#deny(r)
      this.denied = this.selection.triesLeft === 0 || (conf.nextMask & DENIED) === 0
      if (this.denied) return undefined
    }
  }

  /** The peer may not be asked, which counts as a failure. */
  #deny(r: Request): void {
    r.logError(ERROR, `access to upstream server ${this.attempt.address} is denied while connecting to upstream`)
    this.attempt.status = failureStatus(DENIED)
    this.attempt.responseMs = 0
    this.endSelection(r, FAILED)
  }

  beginAttempt(name: string): Attempt {
    this.attempt = this.attempts.add(name, clock.monotonic, this.#newSeries)
    this.#newSeries = false
    return this.attempt
  }

  /** There is no peer to attempt anything with. */
  failWithout(r: Request, why: string): void {
    const attempt = this.beginAttempt(this.group.name)
    attempt.status = 502
    attempt.responseMs = 0
    r.logError(ERROR, why)
  }

  /** `next_upstream` allows to ask another peer after a failure of this `kind`. */
  mayRetry(r: Request, { nextMask, transport }: ExchangeConf, kind: number, requestSent: boolean): boolean {
    let needed = kind
    if (requestSent && (r.methodBit & NON_IDEMPOTENT_METHODS) !== 0) needed |= NON_IDEMPOTENT
    if ((nextMask & needed) !== needed) return false
    if (requestSent && r.requestBody?.streaming === true) return false
    const limit = transport.next_upstream_timeout
    return limit === 0 || clock.monotonic - this.#startMs < limit
  }

  /** The head of a response is there, on `wire`. Who wants no more may be logged before the attempt is over. */
  onHead(wire: Wire | undefined): void {
    const { attempt } = this
    if (wire !== undefined) attempt.bytesSent = wire.bytesWritten - attempt.sentBefore
    attempt.headerMs = clock.monotonic - attempt.startMs
    this.selection.onHead(attempt.headerMs)
  }

  /** The response is passed on. */
  onPassed(r: Request): void {
    this.group.sticky?.onHead(r as never, this.selection.peer!)
  }

  /** The attempt takes no more time; `wire` is what it was sent on. */
  endAttempt(wire: Wire | undefined): void {
    const { attempt } = this
    if (attempt.responseMs >= 0) return
    attempt.responseMs = clock.monotonic - attempt.startMs
    if (wire !== undefined) attempt.bytesSent = wire.bytesWritten - attempt.sentBefore
  }

  /** Tells the group what the attempt came to. */
  endSelection(r: Request, outcome: Outcome): void {
    const { peer } = this.selection
    if (peer !== undefined) this.group.sticky?.onDone(r as never, peer, outcome)
    this.selection.done(outcome, this.attempt, r.location.log, r)
  }
}
