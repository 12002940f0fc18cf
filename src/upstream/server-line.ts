/** The `server` line of an `upstream` block: an address and what is known about the server behind it. */
import { raw } from '../config/args.ts'
import { mapped } from '../config/combine.ts'
import type { Args, ReadContext } from '../config/directive.ts'
import type { Word } from '../config/source.ts'
import { parseMilliseconds, parseNumber, parseSeconds } from '../config/units.ts'
import { type Address, parseAddress } from '../lib/address.ts'
import type { PeerOptions } from './peer-row.ts'
import { PEER_DEFAULTS } from './registry.ts'

/** What is known of a server, or of those behind a name. */
export interface ServerSpec {
  readonly address: Address
  readonly text: string
  /** What was written, when `text` is one of the addresses that it stands for. */
  readonly name?: string
  readonly backup: boolean
  /** The name is looked up while serving. */
  readonly resolve: boolean
  /** `service=`, or ''. */
  readonly service: string
  readonly options: PeerOptions
}

/** One `server` line of a group. */
export interface ServerLine extends ServerSpec {
  readonly at: Word
}

type Draft = { -readonly [K in keyof PeerOptions]: PeerOptions[K] } & {
  backup: boolean
  resolve: boolean
  service: string
}

/** The length of an MD5 in hexadecimal digits, which stands for a server without a route. */
const ROUTE_SIZE_MAX = 32

/** Reads a `server` line; `defaultPort` is that of addresses without one. */
export function serverLine(defaultPort: number): Args<ServerLine> {
  return mapped(raw('address [parameters]', { min: 1 }), ([first, ...parameters], _, at): ServerLine => {
    const { text } = first!
    const draft: Draft = { ...PEER_DEFAULTS, backup: false, resolve: false, service: '' }
    for (const word of parameters) readParameter(draft, word, at)
    const { backup, resolve, service, ...options } = draft
    if (service !== '' && !resolve) at.fail(`service upstream "${text}" requires "resolve" parameter`, first)
    const address = parseAddress(text, defaultPort)
    if ('error' in address) return at.fail(`${address.error} in upstream "${text}"`, first)
    const isName = address.kind === 'tcp' && address.family === 0
    if (service !== '') {
      if (address.kind === 'tcp' && address.hasPort) at.fail(`service upstream "${text}" may not have port`, first)
      if (!isName) at.fail(`service upstream "${text}" requires domain name`, first)
    }
    return { address, text, backup, resolve: resolve && isName, service, options, at: first! }
  })
}

function readParameter(draft: Draft, word: Word, at: ReadContext): void {
  const equals = word.text.indexOf('=')
  const name = equals < 0 ? word.text : word.text.slice(0, equals)
  const value = equals < 0 ? undefined : word.text.slice(equals + 1)
  if (name === 'service' && value === '') at.fail('service is empty', word)
  if (name === 'route' && value === '') at.fail('route is empty', word)
  if (name === 'route' && (value ?? '').length > ROUTE_SIZE_MAX) {
    at.fail(`route is longer than ${ROUTE_SIZE_MAX}`, word)
  }
  if (value === undefined ? !setFlag(draft, name) : !setValue(draft, name, value)) {
    at.fail(`invalid parameter "${word.text}"`, word)
  }
}

function setFlag(draft: Draft, name: string): boolean {
  if (name !== 'backup' && name !== 'down' && name !== 'drain' && name !== 'resolve') return false
  draft[name] = true
  return true
}

function setValue(draft: Draft, name: string, value: string): boolean {
  switch (name) {
    case 'service':
      draft.service = value
      return true
    case 'route':
      draft.route = value
      return true
    case 'fail_timeout':
      return setTime(draft, 'failTimeoutS', parseSeconds(value))
    case 'slow_start':
      return setTime(draft, 'slowStartMs', parseMilliseconds(value))
    default:
      return setCount(draft, name, value)
  }
}

function setTime(draft: Draft, name: 'failTimeoutS' | 'slowStartMs', time: number | undefined): boolean {
  if (time !== undefined) draft[name] = time
  return time !== undefined
}

function setCount(draft: Draft, name: string, value: string): boolean {
  const count = parseNumber(value)
  if (count === undefined) return false
  if (name === 'weight') {
    draft.weight = count
    return count > 0
  }
  if (name === 'max_fails') draft.maxFails = count
  else if (name === 'max_conns') draft.maxConns = count
  else return false
  return true
}
