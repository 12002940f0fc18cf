/**
 * ngx_http_limit_conn_module: limits how many requests with the same key are served at once, exact over all threads. A
 * connection counts from when the head of a request was read until that request is logged.
 */
import { flag, number, oneOf, raw, zone } from '../../config/args.ts'
import { mapped, params, tuple } from '../../config/combine.ts'
import { type Context, directive, directives } from '../../config/directive.ts'
import type { Position } from '../../config/source.ts'
import { parseNumber } from '../../config/units.ts'
import type { HttpTree } from '../../http/compile/module.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Held, Request } from '../../http/request/request.ts'
import { defineMark } from '../../http/request/slots.ts'
import { trace } from '../../http/request/trace.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import { CONN_OUTCOMES, connZonesOf } from '../../http/status/limits.ts'
import { ERROR, levelOf } from '../../log/error-log.ts'
import { CONN_KEY_SIZE_MAX, ConnRecords } from '../../shared/conn-records.ts'
import { type Handle, NO_RECORD } from '../../shared/table.ts'
import type { LimitZone, LimitZoneSpec } from '../../tree/limit-zone.ts'
import { readTemplate } from '../../value/template.ts'

const IN: readonly Context[] = ['http', 'server', 'location']
const LIMIT_MAX = 65535

const zoneArgs = {
  ...mapped(tuple(raw('key', { min: 1, max: 1 }), params({ zone })), ([[key], given], _, at): LimitZoneSpec => {
    if (given.zone === undefined) return at.fail(`"${at.directive.text}" must have "zone" parameter`)
    const { name, size } = given.zone
    return { name, size, key: readTemplate(key!, at), at: at.end }
  }),
  min: 2,
  max: 2,
}

/** One `limit_conn`. */
interface Use {
  readonly zone: string
  readonly count: number
  readonly at: Position
}

const limitArgs = mapped(raw('zone number', { min: 2, max: 2 }), ([name, limit], _, at): Use => {
  const count = parseNumber(limit!.text) ?? 0
  if (count < 1) return at.fail(`invalid number of connections "${limit!.text}"`, limit)
  if (count > LIMIT_MAX) return at.fail('connection limit must be less 65536', limit)
  return { zone: name!.text, count, at: at.end }
})

const limitDirective = {
  limit_conn: directives({
    in: IN,
    args: limitArgs,
    doc: 'Sets how many connections with the same key are served at once.',
  }),
}

const PASSED = 1
const REJECTED = 2
const REJECTED_DRY_RUN = 3
const STATUS_NAMES = [undefined, ...CONN_OUTCOMES.map((name) => name.toUpperCase())]

/** A request is counted once, however often it is redirected. */
const STATUS = defineMark(REJECTED_DRY_RUN)

export const limitConnModule = httpModule({
  name: 'http_limit_conn',
  doc: 'Limits the number of connections per key.',
  directives: {
    limit_conn_zone: directives({
      in: ['http'],
      args: zoneArgs,
      doc: 'Declares a shared memory zone, and what connections are counted by in it.',
    }),
    ...limitDirective,
    limit_conn_status: directive({
      in: IN,
      args: number('code', { min: 400, max: 599 }),
      default: '503',
      doc: 'Sets the status that answers rejected requests.',
    }),
    limit_conn_log_level: directive({
      in: IN,
      args: oneOf('info', 'notice', 'warn', 'error'),
      default: 'error',
      doc: 'Sets the level at which rejections are logged.',
    }),
    limit_conn_dry_run: directive({
      in: IN,
      args: flag,
      default: 'off',
      doc: 'Counts and logs, but rejects nothing.',
    }),
  },
  variables: {
    limit_conn_status: (r) => STATUS_NAMES[r.main.mark(STATUS)],
  },
  init(conf, tree) {
    const zones = connZonesOf(tree)
    for (const spec of conf.limit_conn_zone) zones.declare(spec, (memory) => new ConnRecords(memory))
  },
  declare(_, tree, scope) {
    connZonesOf(tree).check(scope.own(limitDirective).limit_conn ?? [])
  },
  attach(conf, plan, at) {
    const limits = compileLimits(conf.limit_conn, at)
    if (limits.length === 0) return
    plan.preaccess(limitConnections, {
      limits,
      status: conf.limit_conn_status,
      level: levelOf(conf.limit_conn_log_level)!,
      dryRun: conf.limit_conn_dry_run,
    })
  },
})

interface Limit {
  readonly zone: LimitZone<Request, ConnRecords>
  readonly records: ConnRecords
  readonly count: number
  readonly at: Position
}

function compileLimits(uses: readonly Use[], tree: HttpTree): Limit[] {
  const limits: Limit[] = []
  for (const { zone: name, count, at } of uses) {
    const found = connZonesOf(tree).find(name)
    if (found?.records !== undefined) limits.push({ zone: found, records: found.records, count, at })
  }
  return limits
}

interface Conf {
  readonly limits: readonly Limit[]
  readonly status: number
  readonly level: number
  readonly dryRun: boolean
}

function limitConnections(r: Request, conf: Conf): Verdict {
  const { main } = r
  if (main.mark(STATUS) !== 0) return NEXT
  const { limits } = conf
  let counted: Counted | undefined
  for (let i = 0; i < limits.length; i++) {
    const limit = limits[i]!
    const key = limit.zone.key(r)
    if (trace !== undefined) {
      trace.decided(r, limit.at, limit.zone.counting(key))
      continue
    }
    if (key === '') continue
    if (key.length > CONN_KEY_SIZE_MAX) {
      const problem = `is more than ${CONN_KEY_SIZE_MAX} bytes: "${key}"`
      r.logError(ERROR, `the value of the "${limit.zone.source}" key ${problem}`)
      continue
    }
    main.setMark(STATUS, PASSED)
    const record = limit.records.acquire(key, limit.count)
    if (record === NO_RECORD) {
      counted?.onRequestEnd()
      return reject(r, conf, limit)
    }
    limit.zone.count(PASSED)
    counted = new Counted(limit.records, record, limit.records.note, counted)
  }
  if (counted !== undefined) main.hold(counted)
  return NEXT
}

function reject(r: Request, conf: Conf, { zone: full, records }: Limit): Verdict {
  const { dryRun } = conf
  // A zone without room rejects too, and nginx says nothing then.
  if (!records.full) {
    r.logError(conf.level, `limiting connections${dryRun ? ', dry run,' : ''} by zone "${full.name}"`)
  }
  const outcome = dryRun ? REJECTED_DRY_RUN : REJECTED
  full.count(outcome)
  r.main.setMark(STATUS, outcome)
  return dryRun ? NEXT : conf.status
}

/** One connection counted in one zone, and those counted before it for the same request. */
class Counted implements Held {
  nextHeld: Held | undefined = undefined
  readonly #records: ConnRecords
  readonly #record: Handle
  readonly #note: number
  readonly #earlier: Counted | undefined

  constructor(records: ConnRecords, record: Handle, note: number, earlier: Counted | undefined) {
    this.#records = records
    this.#record = record
    this.#note = note
    this.#earlier = earlier
  }

  onRequestEnd(): void {
    this.#records.release(this.#record, this.#note)
    this.#earlier?.onRequestEnd()
  }
}
