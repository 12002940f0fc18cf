/** `otel_exporter`: where the collector is, how it is reached, and whom we trust there. */
import { confFile, milliseconds, number, text } from '../../../config/args.ts'
import { type Args, type BlockValue, directive, directives, type ScopeView } from '../../../config/directive.ts'
import type { Position } from '../../../config/source.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import type { GrpcTarget } from '../../../http/exchange/grpc-call.ts'
import { parseAddress } from '../../../lib/address.ts'
import { lowerAscii, toBinary } from '../../../lib/bytes.ts'
import { errnoText } from '../../../lib/errno.ts'
import { parseIp } from '../../../lib/ip.ts'
import { OtlpPoster } from '../../../lib/otlp-http.ts'
import type { TlsTarget } from '../../../net/tls-client.ts'
import { contextOf } from '../../../net/tls-wire-context.ts'
import { contextSettings, forbidden, notCommanded } from '../../../tls/commands.ts'
import { resolverOf, systemResolver } from '../../../tree/resolver.ts'
import { privateState } from '../../../upstream/group-state.ts'
import { Peer } from '../../../upstream/peer.ts'
import { PEER_DEFAULTS, peerAddresses } from '../../../upstream/registry.ts'
import type { Collector } from './exporter.ts'

const IN = ['otel_exporter'] as const
const PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
const PORT = 4317
const TIMEOUT_MS = 10_000
const VERIFY_DEPTH = 10
/** Where systems keep the authorities that they trust. */
const BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]
const FIELD_NAME = /^[0-9a-z_.-]+$/
const FIELD_VALUE = /^[\x20-\x7e]*$/

const field: Args<readonly [name: string, value: string]> = {
  syntax: 'name value',
  min: 2,
  max: 2,
  read([name, value], at) {
    const lower = lowerAscii(name!.text)
    const told = `"${at.directive.text}" directive of "otel_exporter" has invalid header`
    if (!FIELD_NAME.test(lower) || lower.startsWith('grpc-')) at.fail(`${told} name`, name)
    if (!FIELD_VALUE.test(value!.text)) at.fail(`${told} value`, value)
    return [lower, value!.text]
  },
}

/** What stands in the block. */
export const exporterDirectives = {
  endpoint: directive({
    in: IN,
    args: text('[(http | https)://]host[:port][/path]'),
    doc: 'The collector: by gRPC, or with a path (`/v1/traces`) by HTTP.',
  }),
  trusted_certificate: directive({ in: IN, args: confFile('path'), doc: 'Who is trusted to certify the collector.' }),
  header: directives({ in: IN, args: field, doc: 'A field that is sent along.' }),
  interval: directive({ in: IN, args: milliseconds, default: '5s', doc: 'How long a span waits for others at most.' }),
  batch_size: directive({
    in: IN,
    args: number('number', { min: 1 }),
    default: '512',
    doc: 'Spans that are sent at once.',
  }),
  batch_count: directive({
    in: IN,
    args: number('number', { min: 1 }),
    default: '4',
    doc: 'Batches of a worker that may be on their way; beyond that, spans are dropped.',
  }),
}

/** What the block describes; mistakes are reported. */
export function collectorOf({ scope, at }: BlockValue<true>, tree: HttpTree): Collector | undefined {
  const { endpoint = '', header: fields, trusted_certificate: file } = scope.resolve(exporterDirectives)
  const [, scheme = '', place = ''] = /^(?:(https?):\/\/)?(.*)$/i.exec(endpoint)!
  if (place === '') {
    tree.fail('"otel_exporter" requires "endpoint"', at)
    return undefined
  }
  const isSecure = scheme.toLowerCase() === 'https'
  const given = file === undefined ? undefined : read(file, tree)
  const slash = place.startsWith('unix:') ? -1 : place.indexOf('/')
  if (slash >= 0 && slash < place.length - 1) {
    return new OtlpPoster(`${isSecure ? 'https' : 'http'}://${place}`, fields, {
      certificates: given,
      revoked: undefined,
    })
  }
  const authority = slash < 0 ? place : place.slice(0, slash)
  const server = serverOf(authority, scope, tree, scope.positionOf(exporterDirectives.endpoint) ?? at)
  if (server === undefined) return undefined
  const tls = isSecure ? tlsOf(hostOf(authority), given ?? systemBundle(tree), tree) : undefined
  if (isSecure && tls === undefined) return undefined
  const connect = { keepAlive: true, tls }
  const target: GrpcTarget = {
    ...server,
    connect,
    authority,
    secure: isSecure,
    path: PATH,
    fields,
    timeoutMs: TIMEOUT_MS,
  }
  return target
}

function read(path: string, tree: HttpTree): string {
  const { text: pem, errno } = tree.readFile(path)
  if (errno !== '') tree.fail(`failed to open "${path}" ${errnoText(errno)}`)
  return pem
}

function systemBundle(tree: HttpTree): string {
  for (const path of BUNDLES) {
    const { text: pem, errno } = tree.readFile(path)
    if (errno === '') return pem
  }
  tree.fail('the system has no list of authorities: "otel_exporter" needs "trusted_certificate"')
  return ''
}

/** A name that is not known yet is looked up when there is something to send: collectors come and go. */
function serverOf(
  authority: string,
  scope: ScopeView,
  tree: HttpTree,
  at: Position,
): Pick<GrpcTarget, 'peer' | 'name'> | undefined {
  const address = parseAddress(authority, PORT)
  if ('error' in address) {
    tree.fail(`invalid "endpoint" of "otel_exporter": ${address.error} in "${authority}"`, at)
    return undefined
  }
  const [first] = peerAddresses(address)
  if (first === undefined) tree.warn(`host not found in "endpoint" of "otel_exporter": "${authority}"`, at)
  const peer = first && new Peer(first, PEER_DEFAULTS, authority, privateState(1), 0)
  if (address.kind === 'unix' || parseIp(address.host) !== undefined) return { peer, name: undefined }
  const resolver = resolverOf(scope, tree) ?? systemResolver(scope, tree)
  return { peer, name: { host: address.host, port: address.port, resolver } }
}

function hostOf(authority: string): string {
  return authority.replace(/:\d*$/, '').replace(/^\[|\]$/g, '')
}

function tlsOf(host: string, trusted: string, tree: HttpTree): TlsTarget | undefined {
  const settings = contextSettings(notCommanded(forbidden(['TLSv1.2', 'TLSv1.3'])), 'DEFAULT')
  const made = contextOf({ ...settings, pairs: [], trusted: toBinary(trusted), crl: '' })
  if ('problem' in made) {
    tree.fail(`"trusted_certificate" of "otel_exporter": ${made.problem}`)
    return undefined
  }
  return {
    key: 'otel',
    settings: { secure: made.made, verify: true, depth: VERIFY_DEPTH, sessions: new Map(), keyLog: undefined },
    serverName: parseIp(host) === undefined ? host : '',
    name: host,
    alpn: 'h2',
  }
}
