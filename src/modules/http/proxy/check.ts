/** What health checks need to know of a location with `proxy_pass`: its group, and what a request to it looks like. */
import type { ConfOf } from '../../../config/directive.ts'
import type { AttachContext } from '../../../http/compile/module.ts'
import { ownFields, requestStart } from '../../../http/exchange/compile/h2-request-fields.ts'
import { PASSED, type PassedLocations } from '../../../http/exchange/compile/passed-locations.ts'
import type { SslTargets } from '../../../http/exchange/compile/ssl-targets.ts'
import type { ExchangeConf } from '../../../http/exchange/conf.ts'
import { standInRequest } from '../../../http/exchange/stand-in.ts'
import { unfolded } from '../../../http/message/field-value.ts'
import type { Text } from '../../../http/request/plan.ts'
import { UpstreamRegistry } from '../../../upstream/registry.ts'
import type { proxyDirectives } from './directives.ts'
import { HTTPS, type ProxyTarget } from './target.ts'

type Conf = Pick<ConfOf<typeof proxyDirectives>, 'proxy_set_header' | 'proxy_http_version'>

interface Field {
  readonly name: string
  readonly value: Text
}

/** Fields that are the check's own affair. */
const OWN: ReadonlySet<string> = new Set(['connection', 'upgrade', 'content-length', 'transfer-encoding'])

/** Notes where the location passes requests to, if that is a group known by now. */
export function notePassed(
  conf: Conf,
  target: ProxyTarget,
  exchange: ExchangeConf,
  tls: SslTargets | undefined,
  at: AttachContext,
): void {
  const { host } = target
  const { location } = at
  const group = at.shared('upstreams', () => new UpstreamRegistry()).find(host)
  if (group === undefined) return
  const { connect_timeout, read_timeout } = exchange.transport
  const version = conf.proxy_http_version === '1.0' ? '1.0' : '1.1'
  const fields = conf.proxy_set_header
    .filter(({ name }) => !OWN.has(name.toLowerCase()))
    .map(({ name, value }) => ({ name, value: at.text(value) }))
  const known = { host, status: 0, headers: undefined }
  const head = (uri: string): string => {
    const r = standInRequest(location, uri, known)
    const written = fields.findLast(({ name }) => name.toLowerCase() === 'host')
    const authority = written === undefined ? '' : written.value(r)
    const others = fields
      .map(({ name, value }) => ({ name: name.toLowerCase(), value }))
      .filter(({ name }) => name !== 'host')
    const start = requestStart('GET', target.scheme === HTTPS ? 'https' : 'http', uri, authority || host)
    return start + ownFields(others, (value) => value(r))
  }
  at.shared(PASSED, (): PassedLocations => new Map()).set(location, {
    group,
    connectTimeoutMs: connect_timeout,
    readTimeoutMs: read_timeout,
    http2: conf.proxy_http_version === '2' ? head : undefined,
    connect: () => {
      const r = standInRequest(location, '/', known)
      const options = exchange.connectOptions(r)
      return target.scheme === HTTPS ? { ...options, tls: tls?.target(r, host) } : options
    },
    request: (uri, keep) => {
      const r = standInRequest(location, uri, known)
      const lines = fieldLines(fields, host, (value) => value(r))
      return `GET ${uri} HTTP/${version}\r\n${lines}Connection: ${keep ? 'keep-alive' : 'close'}\r\n\r\n`
    },
  })
}

/** Host, then the fields that have a value without a client. */
function fieldLines(fields: readonly Field[], host: string, evaluate: (value: Text) => string): string {
  let hostLine = host
  let lines = ''
  for (const { name, value } of fields) {
    const text = unfolded(evaluate(value))
    if (name.toLowerCase() === 'host') hostLine = text || host
    else if (text !== '') lines += `${name}: ${text}\r\n`
  }
  return `Host: ${hostLine}\r\n${lines}`
}
