/** What health checks need to know of a location with `grpc_pass`: its group, and what a call to it looks like. */

import type { AttachContext } from '../../../http/compile/module.ts'
import type { AddressTarget } from '../../../http/exchange/compile/address-target.ts'
import { ownFields, requestStart } from '../../../http/exchange/compile/h2-request-fields.ts'
import { PASSED, type PassedLocations } from '../../../http/exchange/compile/passed-locations.ts'
import type { SetHeader } from '../../../http/exchange/compile/request-fields.ts'
import type { SslTargets } from '../../../http/exchange/compile/ssl-targets.ts'
import type { ExchangeConf } from '../../../http/exchange/conf.ts'
import { standInRequest } from '../../../http/exchange/stand-in.ts'
import { encodeField } from '../../../http/h2/wire/hpack-encoder.ts'
import { UpstreamRegistry } from '../../../upstream/registry.ts'
import { GRPCS } from './schemes.ts'

/** Fields that are the check's own affair. */
const OWN: ReadonlySet<string> = new Set(['connection', 'upgrade', 'content-length', 'transfer-encoding', 'te', 'host'])

/** Notes where the location passes requests to, if that is a group known by now. */
export function noteGrpcPassed(
  set: readonly SetHeader[],
  { host, scheme }: AddressTarget,
  exchange: ExchangeConf,
  tls: SslTargets | undefined,
  at: AttachContext,
): void {
  const { location } = at
  const group = at.shared('upstreams', () => new UpstreamRegistry()).find(host)
  if (group === undefined) return
  const { connect_timeout, read_timeout } = exchange.transport
  const written = set.findLast(({ name }) => name.toLowerCase() === 'host')
  const authority = written === undefined ? undefined : at.text(written.value)
  const fields = set
    .filter(({ name }) => !OWN.has(name.toLowerCase()))
    .map(({ name, value }) => ({ name: name.toLowerCase(), value: at.text(value) }))
  const known = { host, status: 0, headers: undefined }
  at.shared(PASSED, (): PassedLocations => new Map()).set(location, {
    group,
    connectTimeoutMs: connect_timeout,
    readTimeoutMs: read_timeout,
    connect: () => {
      const r = standInRequest(location, '/', known)
      const options = exchange.connectOptions(r)
      return scheme === GRPCS ? { ...options, tls: tls?.target(r, host) } : options
    },
    request: () => '',
    grpc: (path) => {
      const r = standInRequest(location, path, known)
      const authorityText = authority === undefined ? host : authority(r) || host
      const head = requestStart('POST', scheme === GRPCS ? 'https' : 'http', path, authorityText)
      const own = encodeField('content-type', 'application/grpc') + encodeField('te', 'trailers')
      return head + own + ownFields(fields, (value) => value(r))
    },
  })
}
