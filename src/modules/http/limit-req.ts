/**
 * ngx_http_limit_req_module: limits the rate of requests per key with a leaky bucket, exact over all threads. What is
 * over the rate but within the burst waits its turn; what is over the burst is rejected.
 */
import { flag, number, oneOf, rate, raw, text, zone } from '../../config/args.ts'
import { mapped, params, present, tuple } from '../../config/combine.ts'
import { type Context, directive, directives } from '../../config/directive.ts'
import type { Position } from '../../config/source.ts'
import type { HttpTree } from '../../http/compile/module.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Held, Request } from '../../http/request/request.ts'
import { defineMark } from '../../http/request/slots.ts'
import { trace } from '../../http/request/trace.ts'
import { NEXT, type Verdict, WAIT } from '../../http/request/verdict.ts'
import { RATE_OUTCOMES, rateZonesOf } from '../../http/status/limits.ts'
import { clock } from '../../lib/clock.ts'
import { ALERT, ERROR, type ErrorLog, INFO, levelOf } from '../../log/error-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import { RATE_AGAIN, RATE_BUSY, RATE_ERROR, RateRecords } from '../../shared/rate-records.ts'
import { KEY_SIZE_MAX } from '../../shared/table.ts'
import type { LimitZone, LimitZoneSpec } from '../../tree/limit-zone.ts'
import { readTemplate } from '../../value/template.ts'

const IN: readonly Context[] = ['http', 'server', 'location']

/** `1r/s`, in thousandths of a request per second. */
const RATE_DEFAULT = 1000

interface RateZoneSpec extends LimitZoneSpec {
  readonly rate: number
}

const zoneArgs = {
  ...mapped(tuple(raw('key', { min: 1, max: 1 }), params({ zone, rate })), ([[key], given], _, at): RateZoneSpec => {
    if (given.zone === undefined) return at.fail(`"${at.directive.text}" must have "zone" parameter`)
    const { name, size } = given.zone
    return { name, size, key: readTemplate(key!, at), rate: given.rate ?? RATE_DEFAULT, at: at.end }
  }),
  min: 3,
  max: 3,
}

/** One `limit_req`; burst and delay are in thousandths of a request. */
interface Use {
  readonly zone: string
  readonly burst: number
  readonly delay: number
  readonly at: Position
}

const positive = number('number', { min: 1 })

const limitArgs = {
  ...mapped(
    params(
      { zone: text('name'), burst: positive, delay: positive, nodelay: present },
      { invalid: 'invalid %k value "%w"' },
    ),
    (given, words, at): Use => {
      if (given.zone === undefined) return at.fail(`"${at.directive.text}" must have "zone" parameter`)
      // Of `delay=` and `nodelay` the last holds.
      const last = words.findLast((w) => w.text === 'nodelay' || w.text.startsWith('delay='))
      const delay = last?.text === 'nodelay' ? Number.POSITIVE_INFINITY : (given.delay ?? 0) * 1000
      return { zone: given.zone, burst: (given.burst ?? 0) * 1000, delay, at: at.end }
    },
  ),
  min: 1,
  max: 3,
}

const limitDirective = {
  limit_req: directives({
    in: IN,
    args: limitArgs,
    doc: 'Limits requests by a zone, with the burst that is accepted beyond its rate.',
  }),
}

const PASSED = 1
const DELAYED = 2
const REJECTED = 3
const DELAYED_DRY_RUN = 4
const REJECTED_DRY_RUN = 5
const STATUS_NAMES = [undefined, ...RATE_OUTCOMES.map((name) => name.toUpperCase())]

/** A request is limited once, however often it is redirected. */
const STATUS = defineMark(REJECTED_DRY_RUN)

export const limitReqModule = httpModule({
  name: 'http_limit_req',
  doc: 'Limits the rate of requests per key.',
  directives: {
    limit_req_zone: directives({
      in: ['http'],
      args: zoneArgs,
      doc: 'Declares a shared memory zone, what requests are counted by in it, and their rate.',
    }),
    ...limitDirective,
    limit_req_status: directive({
      in: IN,
      args: number('code', { min: 400, max: 599 }),
      default: '503',
      doc: 'Sets the status that answers rejected requests.',
    }),
    limit_req_log_level: directive({
      in: IN,
      args: oneOf('info', 'notice', 'warn', 'error'),
      default: 'error',
      doc: 'Sets the level at which rejections are logged; delays are logged one level lower.',
    }),
    limit_req_dry_run: directive({
      in: IN,
      args: flag,
      default: 'off',
      doc: 'Counts and logs, but delays and rejects nothing.',
    }),
  },
  variables: {
    limit_req_status: (r) => STATUS_NAMES[r.main.mark(STATUS)],
  },
  init(conf, tree) {
    const zones = rateZonesOf(tree)
    for (const spec of conf.limit_req_zone) zones.declare(spec, (memory) => new RateRecords(memory, spec.rate))
  },
  declare(_, tree, scope) {
    rateZonesOf(tree).check(scope.own(limitDirective).limit_req ?? [])
  },
  attach(conf, plan, at) {
    const limits = compileLimits(conf.limit_req, at)
    if (limits.length === 0) return
    const level = levelOf(conf.limit_req_log_level)!
    plan.preaccess(limitRate, {
      limits,
      status: conf.limit_req_status,
      level,
      delayLevel: level === INFO ? INFO : level + 1,
      dryRun: conf.limit_req_dry_run,
      log: at.log,
    })
  },
})

interface Limit {
  readonly zone: LimitZone<Request, RateRecords>
  readonly records: RateRecords
  readonly burst: number
  readonly delay: number
  readonly at: Position
}

function compileLimits(uses: readonly Use[], tree: HttpTree): Limit[] {
  const limits: Limit[] = []
  for (const { zone: name, burst, delay, at } of uses) {
    const found = rateZonesOf(tree).find(name)
    if (found?.records !== undefined) limits.push({ zone: found, records: found.records, burst, delay, at })
  }
  return limits
}

interface Conf {
  readonly limits: readonly Limit[]
  readonly status: number
  readonly level: number
  readonly delayLevel: number
  readonly dryRun: boolean
  readonly log: ErrorLog
}

/** All keys were empty: nothing was counted. */
const UNCOUNTED = -1

function limitRate(r: Request, conf: Conf): Verdict {
  if (r.main.mark(STATUS) !== 0) return NEXT
  const { limits } = conf
  const last = limits.length - 1
  let result = UNCOUNTED
  let n = 0
  for (; n <= last; n++) {
    const { zone: counted, records, burst, at } = limits[n]!
    const key = counted.key(r)
    if (trace !== undefined) {
      // Who explains does not count.
      trace.decided(r, at, `${counted.counting(key)}, ${records.rate / 1000}r/s, burst ${burst / 1000}`)
      continue
    }
    if (key === '') continue
    if (key.length > KEY_SIZE_MAX) {
      const problem = `is more than ${KEY_SIZE_MAX} bytes: "${key}"`
      r.logError(ERROR, `the value of the "${counted.source}" key ${problem}`)
      continue
    }
    result = records.lookup(key, clock.monotonic, burst, n === last)
    if (result !== RATE_AGAIN) break
  }
  if (result === UNCOUNTED) return NEXT
  if (result === RATE_BUSY || result === RATE_ERROR) return reject(r, conf, n, result)
  return charge(r, conf, n)
}

function reject(r: Request, conf: Conf, n: number, result: number): Verdict {
  const { zone: full, records } = conf.limits[n]!
  if (result === RATE_ERROR) conf.log.write(ALERT, `could not allocate node in limit_req zone "${full.name}"`)
  else {
    const excess = thousandths(records.excess)
    const mode = conf.dryRun ? ', dry run' : ''
    r.logError(conf.level, `limiting requests${mode}, excess: ${excess} by zone "${full.name}"`)
  }
  for (let i = n - 1; i >= 0; i--) conf.limits[i]!.records.cancel()
  const outcome = conf.dryRun ? REJECTED_DRY_RUN : REJECTED
  full.count(outcome)
  r.main.setMark(STATUS, outcome)
  return conf.dryRun ? NEXT : conf.status
}

/** Charges the zones before `n`; that one, when there is one, was charged by its lookup. The longest delay counts. */
function charge(r: Request, conf: Conf, n: number): Verdict {
  const { limits } = conf
  let longest: Limit | undefined
  let excess = 0
  let delayMs = 0
  for (let i = Math.min(n, limits.length - 1); i >= 0; i--) {
    const limit = limits[i]!
    const { records } = limit
    const over = i === n ? records.excess : records.account(clock.monotonic)
    const ms = records.delayMs(over, limit.delay)
    if (ms <= delayMs) {
      // A zone whose key was empty takes no part.
      if (over >= 0) limit.zone.count(PASSED)
      continue
    }
    longest?.zone.count(PASSED)
    delayMs = ms
    excess = over
    longest = limit
  }
  if (longest === undefined) {
    r.main.setMark(STATUS, PASSED)
    return NEXT
  }
  const mode = conf.dryRun ? ', dry run' : ''
  const name = longest.zone.name
  r.logError(conf.delayLevel, `delaying request${mode}, excess: ${thousandths(excess)}, by zone "${name}"`)
  const outcome = conf.dryRun ? DELAYED_DRY_RUN : DELAYED
  longest.zone.count(outcome)
  r.main.setMark(STATUS, outcome)
  if (conf.dryRun) return NEXT
  r.main.hold(new Delay(r, delayMs))
  return WAIT
}

/** `2.013` for 2013. */
function thousandths(excess: number): string {
  return `${Math.floor(excess / 1000)}.${String(excess % 1000).padStart(3, '0')}`
}

/** Lets a request go on when its time has come; forgotten when the request ends before. */
class Delay implements TimerOwner, Held {
  nextHeld: Held | undefined = undefined
  readonly #r: Request
  readonly #timer = new Timer(this)

  constructor(r: Request, delayMs: number) {
    this.#r = r
    setTimer(this.#timer, delayMs)
  }

  onTimeout(): void {
    this.#r.resume(NEXT)
  }

  onRequestEnd(): void {
    cancelTimer(this.#timer)
  }
}
