/**
 * What people want to see of single requests, recorded only where they ask for it: `status_requests` keeps some of the
 * last ones with where each spent its time, `status_top` counts what comes most often. Arguments of URIs are never kept:
 * they may be secrets.
 */
import { flag, raw } from '../../config/args.ts'
import { mapped } from '../../config/combine.ts'
import { type Context, directive } from '../../config/directive.ts'
import { parseMilliseconds } from '../../config/units.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Attempt } from '../../http/request/attempts.ts'
import type { Request } from '../../http/request/request.ts'
import { samplesOf, topOf } from '../../http/status/recorders.ts'
import { clock } from '../../lib/clock.ts'
import type { RequestSamples } from '../../shared/request-samples.ts'
import type { TopRecords } from '../../shared/top-records.ts'

const IN: readonly Context[] = ['http', 'server', 'location']
const URI_MAX = 300
const ATTEMPTS_MAX = 4

interface Sampling {
  /** From 0 to 1. */
  readonly part: number
  /** Requests that took longer are kept, too; -1: not for that. */
  readonly slowMs: number
}

const sampling = mapped(raw('part% [slow=time] | off', { min: 1, max: 2 }), ([first, second], _, at): Sampling => {
  if (first!.text === 'off' && second === undefined) return { part: 0, slowMs: -1 }
  const percent = Number(/^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(first!.text)?.[1] ?? Number.NaN)
  if (!(percent >= 0 && percent <= 100)) at.fail(`invalid part "${first!.text}", it must be from 0% to 100%`, first)
  if (second === undefined) return { part: percent / 100, slowMs: -1 }
  const slow = second.text.startsWith('slow=') ? parseMilliseconds(second.text.slice(5)) : undefined
  if (slow === undefined) return at.fail(`invalid parameter "${second.text}"`, second)
  return { part: percent / 100, slowMs: slow }
})

/** The module list's entry. */
export const statusRequestsModule = httpModule({
  name: 'http_status_requests',
  doc: 'Records of single requests, and of what comes most often, for the API and the dashboard.',
  directives: {
    status_requests: directive({
      in: IN,
      args: sampling,
      default: 'off',
      doc: 'Keeps a part of the last requests, and those that are slow, with where each spent its time.',
    }),
    status_top: directive({
      in: IN,
      args: flag,
      default: 'off',
      doc: 'Counts which pages, clients and errors come most often in the last minutes.',
    }),
  },
  attach(conf, plan, at) {
    const { part, slowMs } = conf.status_requests
    const samples = part > 0 || slowMs >= 0 ? samplesOf(at, true) : undefined
    if (samples !== undefined) plan.log(sample, { samples, part, slowMs })
    const top = conf.status_top ? topOf(at, true) : undefined
    if (top !== undefined) plan.log(count, top)
  },
})

interface SampleConf extends Sampling {
  readonly samples: RequestSamples
}

function sample(r: Request, { samples, part, slowMs }: SampleConf): void {
  if (r.main !== r) return
  const ms = clock.monotonic - r.startMonotonic
  if (!(slowMs >= 0 && ms >= slowMs) && Math.random() >= part) return
  samples.add(JSON.stringify(sampleOf(r, ms)))
}

function sampleOf(r: Request, ms: number): object {
  const { attempts, caching } = r.conversation ?? {}
  const upstream: object[] = []
  attempts?.join((attempt) => {
    if (upstream.length < ATTEMPTS_MAX) upstream.push(attemptOf(attempt))
    return ''
  })
  return {
    at: r.startMs,
    ms,
    method: r.method,
    uri: r.unparsedUri.split('?', 1)[0]!.slice(0, URI_MAX),
    status: r.out.status,
    sent: r.bytesSent,
    received: r.requestLength,
    client: r.client.address,
    host: r.host,
    server: r.server.name,
    location: r.location.name,
    protocol: r.version,
    ...(caching === undefined ? {} : { cache: caching.statusText }),
    ...(upstream.length === 0 ? {} : { upstream }),
  }
}

function attemptOf({ address, status, queueMs, connectMs, headerMs, responseMs }: Attempt): object {
  return { address, status, queue: queueMs, connect: connectMs, header: headerMs, response: responseMs }
}

const PAGE = 'u'
const CLIENT = 'c'
const ERROR = 'e'

function count(r: Request, top: TopRecords): void {
  if (r.main !== r) return
  const ms = clock.monotonic - r.startMonotonic
  const uri = r.unparsedUri.split('?', 1)[0]!
  const now = clock.now
  top.count(PAGE, uri, ms, now)
  top.count(CLIENT, r.client.address, ms, now)
  if (r.out.status >= 400) top.count(ERROR, `${r.out.status} ${uri}`, ms, now)
}
