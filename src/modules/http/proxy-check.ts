/** What health checks need to know of a location with `proxy_pass`: its group, and what a request to it looks like. */
import type { ConfOf } from '../../config/directive.ts'
import type { ExchangeConf } from '../../http/exchange/conf.ts'
import { PASSED, type PassedLocations } from '../../http/exchange/passed.ts'
import type { SslTargets } from '../../http/exchange/ssl-targets.ts'
import type { AttachContext } from '../../http/module.ts'
import { UpstreamRegistry } from '../../upstream/registry.ts'
import type { Template } from '../../value/template.ts'
import type { proxyDirectives, SetHeader } from './proxy-directives.ts'
import type { ProxyTarget } from './proxy-target.ts'

type Conf = Pick<ConfOf<typeof proxyDirectives>, 'proxy_set_header' | 'proxy_http_version'>

/** Variables that mean the group itself when there is no client. */
const HOST_VARIABLES: ReadonlySet<string> = new Set(['host', 'http_host', 'proxy_host'])
/** Fields that are the check's own affair. */
const OWN: ReadonlySet<string> = new Set(['host', 'connection', 'upgrade', 'content-length', 'transfer-encoding'])

/** Notes where the location passes requests to, if that is a group known by now. */
export function notePassed(
  conf: Conf,
  target: ProxyTarget,
  exchange: ExchangeConf,
  _tls: SslTargets | undefined,
  at: AttachContext,
): void {
  const group = at.shared('upstreams', () => new UpstreamRegistry()).find(target.host)
  if (group === undefined) return
  const { connect_timeout, read_timeout, socket_keepalive } = exchange.transport
  const version = conf.proxy_http_version === '1.0' ? '1.0' : '1.1'
  const fields = fieldLines(conf.proxy_set_header, target.host)
  at.shared(PASSED, (): PassedLocations => new Map()).set(at.location, {
    group,
    connectTimeoutMs: connect_timeout,
    readTimeoutMs: read_timeout,
    connect: { keepAlive: socket_keepalive },
    request: (uri, keep) =>
      `GET ${uri} HTTP/${version}\r\n${fields}Connection: ${keep ? 'keep-alive' : 'close'}\r\n\r\n`,
  })
}

/** Host, then the fields that are set to something that no client is needed for. */
function fieldLines(given: readonly SetHeader[], host: string): string {
  const hostGiven = given.findLast(({ name }) => name.toLowerCase() === 'host')
  const hostText = hostGiven === undefined ? host : (withoutClient(hostGiven.value, host) ?? host)
  let lines = `Host: ${hostText === '' ? host : hostText}\r\n`
  for (const { name, value } of given) {
    const text = OWN.has(name.toLowerCase()) ? undefined : withoutClient(value, host)
    if (text !== undefined && text !== '') lines += `${name}: ${text}\r\n`
  }
  return lines
}

/** The value of a template; undefined when it depends on a client. */
function withoutClient(template: Template, host: string): string | undefined {
  let text = ''
  for (const part of template.parts) {
    if (typeof part === 'string') text += part
    else if ('variable' in part && HOST_VARIABLES.has(part.variable)) text += host
    else return undefined
  }
  return text
}
