/** Readers of directives with a syntax of their own: `listen`, `server_name`, `location`, `keepalive_timeout`. */

import { hostname } from 'node:os'
import type { Args, ReadContext } from '../../config/directive.ts'
import type { Position, Word } from '../../config/source.ts'
import { parseMilliseconds, parseNumber, parseSeconds, parseSize } from '../../config/units.ts'
import { type Address, formatAddress, parseListenAddresses } from '../../lib/address.ts'
import { resolveHost } from '../../lib/resolve-host.ts'
import { compilePattern, type Pattern } from '../../value/regex.ts'

/** One `listen` directive. */
export interface Listen {
  readonly address: Address
  /** What two directives for one socket have in common: `127.0.0.1:80`, `[::]:80`, `unix:/path`. */
  readonly key: string
  readonly defaultServer: boolean
  /** Socket options were given: allowed once per address. */
  readonly set: boolean
  readonly backlog: number
  readonly reuseport: boolean
  readonly ipv6only: boolean
  readonly deferred: boolean
  /** Sizes of the kernel's buffers, and of the queue of connections that are opened with data; -1: the system's. */
  readonly rcvbuf: number
  readonly sndbuf: number
  readonly fastopen: number
  readonly soKeepalive: 'on' | 'off' | KeepaliveTimes | undefined
  readonly ssl: boolean
  readonly http2: boolean
  readonly quic: boolean
  readonly proxyProtocol: boolean
  readonly at: Position
}

/** When an idle peer is probed, how often and how many times; 0: as the system does. */
interface KeepaliveTimes {
  readonly idleSeconds: number
  readonly intervalSeconds: number
  readonly count: number
}

type Draft = { -readonly [K in keyof Listen]: Listen[K] }

const HTTP_PORT = 80

/** A `listen` without parameters. */
export const LISTEN_DEFAULTS = {
  defaultServer: false,
  set: false,
  backlog: 511,
  reuseport: false,
  ipv6only: true,
  deferred: false,
  rcvbuf: -1,
  sndbuf: -1,
  fastopen: -1,
  soKeepalive: undefined,
  ssl: false,
  http2: false,
  quic: false,
  proxyProtocol: false,
} satisfies Partial<Listen>

/** `listen address[:port[-port]] [parameter ...]`: one for each address that is meant. */
export const listen: Args<readonly Listen[]> = {
  syntax:
    'address[:port[-port]] [default_server] [ssl] [http2 | quic] [proxy_protocol] [backlog=number] [reuseport] ...',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read(words, at) {
    const [first, ...parameters] = words
    const draft: Draft = { ...LISTEN_DEFAULTS, address: ANYWHERE, key: '', at: at.end }
    const addresses = listenAddresses(first!, at)
    for (const word of parameters) readListenParameter(draft, word, at)
    return addresses.map((address) => ({ ...draft, address, key: formatAddress(address) }))
  },
}

const ANYWHERE: Address = { kind: 'unix', path: '' }

/** The addresses of one line: those of a range of ports, and all of a name. */
function listenAddresses(word: Word, at: ReadContext): readonly Address[] {
  const addresses = parseListenAddresses(word.text, HTTP_PORT)
  const fail = (error: string): never => at.fail(`${error} in "${word.text}" of the "listen" directive`, word)
  if ('error' in addresses) return fail(addresses.error)
  return addresses.flatMap((address) => {
    if (address.kind === 'unix' || address.family !== 0) return [address]
    const hosts = resolveHost(address.host)
    if (hosts.length === 0) return fail('host not found')
    return hosts.map((host): Address => ({ ...address, host, family: host.includes(':') ? 6 : 4 }))
  })
}

function readListenParameter(draft: Draft, word: Word, at: ReadContext): void {
  const equals = word.text.indexOf('=')
  const name = equals < 0 ? word.text : word.text.slice(0, equals + 1)
  const value = equals < 0 ? '' : word.text.slice(equals + 1)
  const read = LISTEN_PARAMETERS[name]
  if (read === undefined) at.fail(`invalid parameter "${word.text}"`, word)
  else if (!read(draft, value, at)) at.fail(`invalid ${INVALID[name] ?? name.replace('=', '')} "${word.text}"`, word)
}

/** What a message calls a parameter, where that is not its name. */
const INVALID: Readonly<Record<string, string>> = { 'ipv6only=': 'parameter' }

const positive = (value: string): number => parseNumber(value) ?? 0

/** Returns true when this option makes the socket's own settings. */
function socketOption(change: (draft: Draft, value: string) => boolean) {
  return (draft: Draft, value: string): boolean => {
    draft.set = true
    return change(draft, value)
  }
}

const LISTEN_PARAMETERS: Readonly<Record<string, (draft: Draft, value: string, at: ReadContext) => boolean>> = {
  default_server: (draft) => (draft.defaultServer = true),
  default: (draft) => (draft.defaultServer = true),
  bind: socketOption(() => true),
  'fastopen=': socketOption((draft, value) => (draft.fastopen = parseNumber(value) ?? -1) >= 0),
  'backlog=': socketOption((draft, value) => (draft.backlog = positive(value)) > 0),
  'rcvbuf=': socketOption((draft, value) => (draft.rcvbuf = parseSize(value) ?? -1) >= 0),
  'sndbuf=': socketOption((draft, value) => (draft.sndbuf = parseSize(value) ?? -1) >= 0),
  'accept_filter=': (_, value, at) => {
    at.warn(`accept filters "accept_filter=${value}" are not supported on this platform, ignored`)
    return true
  },
  deferred: socketOption((draft) => (draft.deferred = true)),
  'ipv6only=': (draft, value, at) => {
    if (!value.startsWith('o')) return false
    if (value !== 'on' && value !== 'off') at.fail(`invalid ipv6only flags "${value}"`)
    draft.ipv6only = value === 'on'
    draft.set = true
    return true
  },
  reuseport: socketOption((draft) => (draft.reuseport = true)),
  multipath: socketOption(() => true),
  ssl: (draft) => (draft.ssl = true),
  http2: (draft, _, at) => {
    at.warn('the "listen ... http2" directive is deprecated, use the "http2" directive instead')
    return (draft.http2 = true)
  },
  quic: (draft) => (draft.quic = true),
  proxy_protocol: (draft) => (draft.proxyProtocol = true),
  'so_keepalive=': (draft, value, at) => {
    draft.set = true
    const parsed = readSoKeepalive(value)
    if (parsed === undefined) at.fail(`invalid so_keepalive value: "${value}"`)
    draft.soKeepalive = parsed
    return true
  },
}

function readSoKeepalive(value: string): Listen['soKeepalive'] {
  if (value === 'on' || value === 'off') return value
  const parts = value.split(':')
  if (parts.length > 3 || parts.every((part) => part === '')) return undefined
  const [idle = '', interval = '', count = ''] = parts
  const seconds = idle === '' ? 0 : parseSeconds(idle)
  if (seconds === undefined || (interval !== '' && parseSeconds(interval) === undefined)) return undefined
  const probes = count === '' ? 0 : parseNumber(count)
  const pause = interval === '' ? 0 : parseSeconds(interval)
  if (probes === undefined || (seconds === 0 && pause === 0 && probes === 0)) return undefined
  return { idleSeconds: seconds, intervalSeconds: pause ?? 0, count: probes }
}

/** One name of a server: exact (lower case), with a wildcard at one end, or a regular expression. */
export type ServerName =
  | {
      readonly kind: 'exact' | 'prefix' | 'suffix' | 'dot'
      readonly name: string
      readonly text: string
      readonly at: Position
    }
  /** An error, once there is another server to tell it from. */
  | { readonly kind: 'invalid'; readonly name: string; readonly text: string; readonly at: Position }
  | { readonly kind: 'regex'; readonly pattern: Pattern; readonly text: string; readonly at: Position }

/** `server_name name ...`: `*.example.com`, `www.*`, `.example.com`, `~regex`, `""`, `$hostname`. */
export const serverName: Args<readonly ServerName[]> = {
  syntax: 'name ...',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read: (words, at) => words.map((word) => readServerName(word, at)),
}

function readServerName(word: Word, at: ReadContext): ServerName {
  const { text } = word
  if (text.startsWith('~')) {
    if (text === '~') at.fail('empty regex in server name "~"', word)
    if (text.includes('/')) at.warn(`server name "${text}" has suspicious symbols`, word)
    return { kind: 'regex', pattern: readPattern(text.slice(1), true, at, word), text, at: word }
  }
  if (text === '.' || (text.startsWith('*') && !/^\*\../.test(text))) {
    at.fail(`server name "${text}" is invalid`, word)
  }
  const lower = text.toLowerCase()
  const name = lower === '$hostname' ? hostname().toLowerCase() : lower
  if (name.includes('/')) at.warn(`server name "${text}" has suspicious symbols`, word)
  // nginx finds the rest of what may be wrong when it makes the tables of an address with several servers.
  if (/\*.*\*|\.\./.test(name)) return { kind: 'invalid', name, text, at: word }
  if (name.startsWith('.')) return { kind: 'dot', name: name.slice(1), text, at: word }
  if (name.startsWith('*')) return { kind: 'suffix', name: name.slice(1), text, at: word }
  if (name.length > 2 && name.endsWith('.*')) return { kind: 'prefix', name: name.slice(0, -1), text, at: word }
  return { kind: name.includes('*') ? 'invalid' : 'exact', name, text, at: word }
}

/** What stands between `location` and `{`. */
export interface LocationHead {
  readonly kind: 'prefix' | 'exact' | 'noregex' | 'regex' | 'named'
  readonly name: string
  readonly pattern: Pattern | undefined
  readonly at: Position
}

/** `location [ = | ~ | ~* | ^~ ] uri` or `location @name`; the modifier may touch the URI. */
export const locationHead: Args<LocationHead> = {
  syntax: '[ = | ~ | ~* | ^~ ] uri | @name',
  min: 1,
  max: 2,
  read(words, at) {
    const [first, second] = words
    const split = second === undefined ? splitModifier(first!.text) : { modifier: first!.text, name: second.text }
    const { modifier, name } = split
    const word = second ?? first!
    const head = { name, pattern: undefined, at: at.end }
    if (modifier === '=') return { ...head, kind: 'exact' }
    if (modifier === '^~') return { ...head, kind: 'noregex' }
    if (modifier === '~' || modifier === '~*') {
      return { ...head, kind: 'regex', pattern: readPattern(name, modifier === '~*', at, word) }
    }
    if (modifier !== '' || second !== undefined) at.fail(`invalid location modifier "${modifier}"`, first)
    return { ...head, kind: name.startsWith('@') ? 'named' : 'prefix' }
  },
}

function splitModifier(text: string): { modifier: string; name: string } {
  const match = /^(=|\^~|~\*|~)(.*)$/s.exec(text)
  return match === null ? { modifier: '', name: text } : { modifier: match[1]!, name: match[2]! }
}

/** Compiles a regular expression of the configuration, reporting what is wrong with it in nginx's words. */
function readPattern(source: string, caseless: boolean, at: ReadContext, word: Word): Pattern {
  return compilePattern(source, { caseless }, (message) => at.fail(message, word))
}

/** `keepalive_timeout timeout [header_timeout]`. */
export interface KeepaliveTimeout {
  readonly timeoutMs: number
  /** Seconds told in `Keep-Alive: timeout=`; 0: the field is not sent. */
  readonly headerSeconds: number
}

/** `keepalive_timeout`: how long a connection waits, and what clients are told of it. */
export const keepaliveTimeout: Args<KeepaliveTimeout> = {
  syntax: 'timeout [header_timeout]',
  min: 1,
  max: 2,
  read([timeout, header], at) {
    const timeoutMs = parseMilliseconds(timeout!.text)
    if (timeoutMs === undefined) at.fail(`"keepalive_timeout" directive invalid value`, timeout)
    const headerSeconds = header === undefined ? 0 : parseSeconds(header.text)
    if (headerSeconds === undefined) at.fail(`"keepalive_timeout" directive invalid value`, header)
    return { timeoutMs: timeoutMs ?? 0, headerSeconds: headerSeconds ?? 0 }
  },
}
