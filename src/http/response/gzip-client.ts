/**
 * What a client may be sent compressed: what gzip, brotli, zstd, gunzip and the modules for stored files have in common.
 * The directives are ngx_http_core_module's; but for `gzip_vary` they are about gzip alone, as they are in nginx, because
 * clients and proxies that need them know no other coding.
 */
import { bits, flag, oneOf } from '../../config/args.ts'
import type { ScopeView } from '../../config/directive.ts'
import { type Args, type ConfOf, directive, directives } from '../../config/directive.ts'
import { clock } from '../../lib/clock.ts'
import { parseHttpDate } from '../../lib/http-date.ts'
import { compilePattern, type Pattern } from '../../value/regex.ts'
import { acceptedCodings, type CodingName } from '../message/accept-encoding.ts'
import { hashName } from '../message/field-names.ts'
import { type ResponseHead, UNKNOWN } from '../message/response-head.ts'
import type { Request } from '../request/request.ts'

const HSL = ['http', 'server', 'location'] as const

/** `msie6`, or a pattern for User-Agent. */
const disabled: Args<readonly (Pattern | 'msie6')[]> = {
  syntax: 'regex ... | msie6',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read: (list, at) =>
    list.map((w) =>
      w.text === 'msie6' ? 'msie6' : compilePattern(w.text, { caseless: true }, (message) => at.fail(message, w)),
    ),
}

/** Directives that the modules share; the gzip module lists them. */
export const gzipClientDirectives = {
  gzip_vary: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Adds `Vary: Accept-Encoding` to responses that are compressed for clients that take it.',
  }),
  gzip_http_version: directive({
    in: HSL,
    args: oneOf('1.0', '1.1'),
    default: '1.1',
    doc: 'The oldest version of the protocol that gets compressed responses.',
  }),
  gzip_proxied: directive({
    in: HSL,
    args: bits('off', 'expired', 'no-cache', 'no-store', 'private', 'no_last_modified', 'no_etag', 'auth', 'any'),
    default: 'off',
    doc: 'Which responses are compressed for proxies (requests with Via).',
  }),
  gzip_disable: directives({
    in: HSL,
    args: disabled,
    doc: 'Clients, by patterns for User-Agent, that get no compressed responses.',
  }),
}

/** The settings of one place. */
export interface GzipClientRules {
  readonly vary: boolean
  readonly version: number
  readonly proxied: ReadonlySet<string>
  readonly disabled: readonly Pattern[]
  readonly disableMsie6: boolean
}

/** The settings that hold in a block. */
export function gzipClientRules(scope: ScopeView): GzipClientRules {
  const conf: ConfOf<typeof gzipClientDirectives> = scope.resolve(gzipClientDirectives)
  const list = conf.gzip_disable.flat()
  return {
    vary: conf.gzip_vary,
    version: conf.gzip_http_version === '1.0' ? 10 : 11,
    proxied: new Set(conf.gzip_proxied),
    disabled: list.filter((item) => item !== 'msie6'),
    disableMsie6: list.includes('msie6'),
  }
}

/** Words of Cache-Control, as ngx_http_parse_multi_header_lines finds them: one with a value (`private="x"`) is none. */
const CONTROLS = ['no-cache', 'no-store', 'private'].map(
  (name) => [name, new RegExp(`(?:^|[,;] *)${name} *(?:,|$)`, 'i')] as const,
)
const ACCEPT_ENCODING = hashName('accept-encoding')
const USER_AGENT = hashName('user-agent')
const VIA = hashName('via')
const AUTHORIZATION = hashName('authorization')

/** How much `r`'s client wants a coding: from 0, not at all, to 1000. For gzip also by the rules, see `acceptsGzip`. */
export function codingQuality(r: Request, coding: CodingName, rules: GzipClientRules): number {
  if (r !== r.main) return 0
  const quality = acceptedCodings(r.headers.valueOf(ACCEPT_ENCODING, 'accept-encoding'))[coding]
  return quality === 0 || coding !== 'gzip' || mayHaveGzip(r, rules) ? quality : 0
}

/** Tells whether `r` may be answered with gzip (ngx_http_gzip_ok). */
export function acceptsGzip(r: Request, rules: GzipClientRules): boolean {
  return codingQuality(r, 'gzip', rules) > 0
}

/** Why a client gets nothing in a coding, when `codingQuality` is 0, for people. */
export function refusalOf(r: Request, coding: CodingName, rules: GzipClientRules): string {
  const accepted = r.headers.valueOf(ACCEPT_ENCODING, 'accept-encoding')
  if (accepted === undefined) return 'the request has no Accept-Encoding'
  if (acceptedCodings(accepted)[coding] === 0) return `Accept-Encoding is "${accepted}"`
  if (r.version < rules.version) return 'the protocol is older than gzip_http_version'
  if (r.headers.find(VIA, 'via') >= 0)
    return 'the request came through a proxy (Via), and gzip_proxied does not allow it'
  return 'gzip_disable is for this client'
}

/** For proxies it depends on the response's head, as far as that is there. */
function mayHaveGzip(r: Request, rules: GzipClientRules): boolean {
  if (r.version < rules.version) return false
  if (rules.disableMsie6 || rules.disabled.length > 0) {
    const agent = r.headers.valueOf(USER_AGENT, 'user-agent')
    if (agent !== undefined && isDisabled(agent, rules)) return false
  }
  return r.headers.find(VIA, 'via') < 0 || proxyMayHave(r, rules.proxied)
}

function isDisabled(agent: string, rules: GzipClientRules): boolean {
  if (rules.disableMsie6 && isMsie6(agent)) return true
  for (const pattern of rules.disabled) if (pattern.test(agent)) return true
  return false
}

/** Internet Explorer 4 to 6, except 6 with service pack 2 and later. */
function isMsie6(agent: string): boolean {
  const at = agent.indexOf('MSIE ')
  if (at < 0 || at + 7 >= agent.length || agent.charAt(at + 6) !== '.') return false
  const version = agent.charAt(at + 5)
  return version === '4' || version === '5' || (version === '6' && !agent.includes('SV1', at + 7))
}

function proxyMayHave(r: Request, proxied: ReadonlySet<string>): boolean {
  if (proxied.has('off')) return false
  if (proxied.has('any')) return true
  if (proxied.has('auth') && r.headers.find(AUTHORIZATION, 'authorization') >= 0) return true
  const { out } = r
  const expires = out.field('expires')
  if (expires !== undefined) {
    const at = parseHttpDate(expires)
    const date = out.date === undefined ? clock.seconds : parseHttpDate(out.date)
    return proxied.has('expired') && at >= 0 && date >= 0 && at < date
  }
  const control = out.field('cache-control')
  if (control !== undefined) {
    return CONTROLS.some(([name, pattern]) => proxied.has(name) && pattern.test(control))
  }
  if (proxied.has('no_last_modified') && tellsLastModified(out)) return false
  return !(proxied.has('no_etag') && out.etag !== '')
}

/** Also by a date that cannot be read. */
function tellsLastModified(out: ResponseHead): boolean {
  return out.lastModified !== UNKNOWN || out.field('last-modified') !== undefined
}

/** Notes in the head that what is sent depends on Accept-Encoding, where `gzip_vary` wants that. */
export function noteVary(r: Request, rules: GzipClientRules): void {
  if (rules.vary) r.out.varyEncoding = true
}
