/**
 * ngx_http_userid_filter_module: gives each browser a cookie with a number of its own, 16 bytes in Base64: who made it
 * (address or `userid_service`), when, which worker, and a counter.
 */
import { threadId } from 'node:worker_threads'
import { bits, number, oneOf, text, word } from '../../config/args.ts'
import { type Args, type ConfOf, directive } from '../../config/directive.ts'
import { parseSeconds } from '../../config/units.ts'
import { httpModule } from '../../http/compile/module.ts'
import { cookieValue } from '../../http/message/cookies.ts'
import type { LocationConf } from '../../http/request/location.ts'
import type { Getter } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { defineSlot } from '../../http/request/slots.ts'
import { lowerAscii } from '../../lib/bytes.ts'
import { clock } from '../../lib/clock.ts'
import { formatCookieDate } from '../../lib/http-date.ts'
import { parseIp } from '../../lib/ip.ts'
import { ERROR, NOTICE } from '../../log/error-log.ts'

const PLACES = ['http', 'server', 'location'] as const
const SIZE = 16
/** Base64 characters that count: marks and garbage may stand behind them. */
const ENCODED = 22
/** `userid_expires max`: as far as old browsers can count. */
const FOREVER = -1
const FOREVER_DATE = 'Thu, 31-Dec-37 23:55:55 GMT'
const SEQUENCE_START = 0x03030302
const SEQUENCE_STEP = 0x100

const expires: Args<number> = word('time | max | off', (w, at) => {
  if (w.text === 'max') return FOREVER
  if (w.text === 'off') return 0
  return parseSeconds(w.text) ?? at.fail('"userid_expires" directive invalid value', w)
})

const mark: Args<string> = word('letter | digit | = | off', (w, at) => {
  if (w.text === 'off') return ''
  if (/^[0-9A-Za-z=]$/.test(w.text)) return w.text
  return at.fail('"userid_mark" directive value must be "off" or a single letter, digit or "="', w)
})

const directives = {
  userid: directive({
    in: PLACES,
    args: oneOf('off', 'log', 'v1', 'on'),
    default: 'off',
    doc: 'Sets or logs cookies.',
  }),
  userid_service: directive({ in: PLACES, args: number('number'), doc: 'The first bytes of new numbers.' }),
  userid_name: directive({ in: PLACES, args: text('name'), default: 'uid', doc: 'The name of the cookie.' }),
  userid_domain: directive({ in: PLACES, args: text('name | none'), default: 'none', doc: 'Its domain.' }),
  userid_path: directive({ in: PLACES, args: text('path'), default: '/', doc: 'Its path.' }),
  userid_expires: directive({ in: PLACES, args: expires, default: 'off', doc: 'How long browsers keep it.' }),
  userid_flags: directive({
    in: PLACES,
    args: { ...bits('off', 'secure', 'httponly', 'samesite=strict', 'samesite=lax', 'samesite=none'), max: 3 },
    default: 'off',
    doc: 'Further attributes of the cookie.',
  }),
  userid_p3p: directive({
    in: PLACES,
    args: text('string | none'),
    default: 'none',
    doc: 'A P3P field to send along.',
  }),
  userid_mark: directive({
    in: PLACES,
    args: mark,
    default: 'off',
    doc: 'A character that marks the cookie: without it a cookie is sent again.',
  }),
}

interface UserId {
  readonly conf: ConfOf<typeof directives>
  readonly name: string
  readonly lowerName: string
  /** Domain, path and flags. */
  readonly attributes: string
  readonly reset: Getter
}

interface State {
  /** What the client sent; undefined: nothing usable. */
  readonly got: Buffer | undefined
  readonly cookie: string
  /** What is sent; undefined while nothing has to be. */
  set: Buffer | undefined
  /** `set` is a new number. */
  fresh: boolean
}

const states = defineSlot<State>()
const byLocation = new WeakMap<LocationConf, UserId>()

/** The module list's entry. */
export const useridModule = httpModule({
  name: 'http_userid',
  doc: 'Cookies that tell browsers apart.',
  directives,
  variables: {
    uid_got: uidGot,
    uid_set: uidSet,
    uid_reset: { get: () => '', changeable: true },
  },
  attach(conf, plan, at) {
    if (conf.userid === 'off') return
    const name = conf.userid_name
    const userId: UserId = {
      conf,
      name,
      lowerName: lowerAscii(name),
      attributes: attributesOf(conf),
      reset: at.variable('uid_reset'),
    }
    byLocation.set(at.location, userId)
    if (conf.userid !== 'log') plan.headerFilter(addCookie, userId)
  },
})

function attributesOf(conf: ConfOf<typeof directives>): string {
  const domain = conf.userid_domain === 'none' ? '' : `; domain=${conf.userid_domain}`
  const flags = ['secure', 'httponly', 'samesite=strict', 'samesite=lax', 'samesite=none'] as const
  const given = flags.filter((flag) => conf.userid_flags.includes(flag))
  return `${domain}; path=${conf.userid_path}${given.map((flag) => `; ${flag}`).join('')}`
}

function addCookie(r: Request, userId: UserId): void {
  if (r !== r.main) return
  const { conf } = userId
  const state = stateOf(r, userId)
  chooseNumber(r, state, userId)
  if (state.set === undefined) return
  let value: string
  if (state.fresh) {
    value = state.set.toString('base64')
    if (conf.userid_mark !== '') value = value.slice(0, ENCODED) + conf.userid_mark + value.slice(ENCODED + 1)
  } else {
    value = `${state.cookie.slice(0, ENCODED)}${conf.userid_mark}=`
  }
  r.out.add('Set-Cookie', `${userId.name}=${value}${expiresText(conf.userid_expires)}${userId.attributes}`)
  if (conf.userid_p3p !== 'none' && conf.userid_p3p !== '') r.out.add('P3P', conf.userid_p3p)
}

function expiresText(seconds: number): string {
  if (seconds === 0) return ''
  return `; expires=${seconds === FOREVER ? FOREVER_DATE : formatCookieDate(clock.seconds + seconds)}`
}

function stateOf(r: Request, userId: UserId): State {
  const known = r.get(states)
  if (known !== undefined) return known
  const cookie = cookieValue(r.headers, userId.lowerName)
  const state: State = { got: decode(r, userId, cookie), cookie: cookie ?? '', set: undefined, fresh: false }
  r.set(states, state)
  return state
}

function decode(r: Request, { name }: UserId, cookie: string | undefined): Buffer | undefined {
  if (cookie === undefined) return undefined
  if (cookie.length < ENCODED) {
    r.logError(ERROR, `client sent too short userid cookie "${name}=${cookie}"`)
    return undefined
  }
  const encoded = cookie.slice(0, ENCODED)
  if (!/^[A-Za-z0-9+/]+$/.test(encoded)) {
    r.logError(ERROR, `client sent invalid userid cookie "${name}=${cookie}"`)
    return undefined
  }
  const bytes = Buffer.from(encoded, 'base64')
  return isNumber(bytes) ? bytes : undefined
}

/** nginx takes a last word of zero for "none". */
function isNumber(bytes: Buffer): boolean {
  return bytes.readUInt32LE(12) !== 0
}

/** Decides what is sent: a new number, the old one with the mark that it lacks, or nothing. */
function chooseNumber(r: Request, state: State, userId: UserId): void {
  if (state.set !== undefined) return
  const { conf, name } = userId
  if (state.got !== undefined) {
    const reset = userId.reset(r) ?? ''
    if (reset === '' || reset === '0') {
      const marked = state.cookie.length > ENCODED + 1 && state.cookie.slice(ENCODED).startsWith(`${conf.userid_mark}=`)
      if (conf.userid_mark !== '' && !marked) state.set = state.got
      return
    }
    if (reset === 'log') r.logError(NOTICE, `userid cookie "${shown(name, state.got)}" was reset`)
  }
  state.set = conf.userid === 'v1' ? newNumberV1(conf.userid_service) : newNumber(r, conf.userid_service)
  state.fresh = true
}

/** Tells this thread's numbers from those of others. */
const start = ((Math.floor(Math.random() * 0x10000) << 16) | ((process.pid + threadId) & 0xffff)) >>> 0
let sequenceV1 = 1
let sequence = SEQUENCE_START

function newNumberV1(service: number | undefined): Buffer {
  const bytes = Buffer.alloc(SIZE)
  bytes.writeUInt32LE((service ?? 0) >>> 0, 0)
  bytes.writeUInt32LE(clock.seconds >>> 0, 4)
  bytes.writeUInt32LE(start, 8)
  bytes.writeUInt32LE(sequenceV1, 12)
  sequenceV1 = (sequenceV1 + SEQUENCE_STEP) >>> 0
  return bytes
}

function newNumber(r: Request, service: number | undefined): Buffer {
  const bytes = Buffer.alloc(SIZE)
  if (service === undefined) bytes.write((parseIp(r.client.serverAddress) ?? '').slice(-4), 0, 'latin1')
  else bytes.writeUInt32BE(service >>> 0, 0)
  bytes.writeUInt32BE(clock.seconds >>> 0, 4)
  bytes.writeUInt32BE(start, 8)
  bytes.writeUInt32BE(sequence, 12)
  sequence = (sequence + SEQUENCE_STEP) >>> 0
  if (sequence < SEQUENCE_START) sequence = SEQUENCE_START
  return bytes
}

// ---- variables -------------------------------------------------------------------------------------

function uidGot(r: Request): string | undefined {
  const userId = byLocation.get(r.main.location)
  if (userId === undefined) return undefined
  const { got } = stateOf(r.main, userId)
  return got === undefined ? undefined : shown(userId.name, got)
}

function uidSet(r: Request): string | undefined {
  const userId = byLocation.get(r.main.location)
  if (userId === undefined || userId.conf.userid === 'log') return undefined
  const state = stateOf(r.main, userId)
  chooseNumber(r.main, state, userId)
  return state.set === undefined ? undefined : shown(userId.name, state.set)
}

/** `uid=` and the four words as the machine reads them. */
function shown(name: string, bytes: Buffer): string {
  let text = `${name}=`
  for (let at = 0; at < SIZE; at += 4) text += bytes.readUInt32LE(at).toString(16).toUpperCase().padStart(8, '0')
  return text
}
