/**
 * ngx_http_headers_filter_module: fields added to responses, trailers, and how long clients may keep what they got.
 * The lists follow `add_header_inherit`, so they are merged here and not by the engine's rule for lists.
 */
import { oneOf } from '../../config/args.ts'
import type { ReadContext, ScopeView } from '../../config/directive.ts'
import { type Args, type ConfOf, directive, directives } from '../../config/directive.ts'
import type { Scope } from '../../config/scope.ts'
import { parseSeconds } from '../../config/units.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import { fieldTemplate, fieldValue } from '../../http/message/field-value.ts'
import { UNKNOWN } from '../../http/message/response-head.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { clock } from '../../lib/clock.ts'
import { formatHttpDate, parseHttpDate } from '../../lib/http-date.ts'
import { readTemplate, type Template } from '../../value/template.ts'

/** Unlike in nginx also `if` in a server: what it says holds for a `return` in it. */
const HSLI = ['http', 'server', 'server_if', 'location', 'if'] as const

interface Field {
  readonly name: string
  readonly value: Template
  readonly always: boolean
}

const field: Args<Field> = {
  syntax: 'name value [always]',
  min: 2,
  max: 3,
  read([name, value, always], at) {
    if (always !== undefined && always.text !== 'always') at.fail(`invalid parameter "${always.text}"`, always)
    return { name: name!.text, value: fieldTemplate(readTemplate(value!, at)), always: always !== undefined }
  },
}

/** How the time of `expires` counts; `off` says nothing. */
type ExpiresKind = 'off' | 'epoch' | 'max' | 'access' | 'modified' | 'daily'

interface Expiry {
  readonly kind: ExpiresKind
  readonly seconds: number
}

/** Either fixed, or a text with variables that is read for each response. */
interface Expires extends Expiry {
  readonly text: Template | undefined
}

const expires: Args<Expires> = {
  syntax: '[modified] time | epoch | max | off',
  min: 1,
  max: 2,
  read(list, at) {
    if (list.length === 2 && list[0]!.text !== 'modified') badExpires(at, 'invalid value')
    const kind = list.length === 2 ? 'modified' : 'access'
    const value = readTemplate(list.at(-1)!, at)
    if (value.constant === undefined) return { kind, seconds: 0, text: value }
    const parsed = parseExpires(value.constant, kind)
    return typeof parsed === 'string' ? badExpires(at, parsed) : { ...parsed, text: undefined }
  },
}

function badExpires(at: ReadContext, problem: string): never {
  return at.fail(`"expires" directive ${problem}`)
}

const DAY_SECONDS = 86400

/** Reads a value of `expires`; a string is what is wrong with it. */
function parseExpires(text: string, base: 'access' | 'modified'): Expiry | string {
  if (base !== 'modified' && (text === 'epoch' || text === 'max' || text === 'off')) return { kind: text, seconds: 0 }
  const sign = text.charAt(0)
  const daily = sign === '@'
  if (daily && base === 'modified') return 'daily time cannot be used with "modified" parameter'
  const seconds = parseSeconds(daily || sign === '+' || sign === '-' ? text.slice(1) : text)
  if (seconds === undefined) return 'invalid value'
  if (daily && seconds > DAY_SECONDS) return 'daily time value must be less than 24 hours'
  return { kind: daily ? 'daily' : base, seconds: sign === '-' ? -seconds : seconds }
}

const inherit = oneOf('on', 'off', 'merge')

const own = {
  add_header: directives({
    in: HSLI,
    args: field,
    doc: 'Adds a field to responses with status 200, 201, 204, 206, 301, 302, 303, 304, 307 or 308; with `always` to all. A value with a line end or a NUL byte is not sent; in Location and Refresh such bytes are percent-encoded.',
  }),
  add_trailer: directives({
    in: HSLI,
    args: field,
    doc: 'Adds a field behind the body of such responses, where the protocol can carry it.',
  }),
  add_header_inherit: directive({
    in: HSLI,
    args: inherit,
    default: 'on',
    since: '1.29.3',
    doc: 'Whether fields of the enclosing level hold when a level has none of its own (`on`), never, or beside them (`merge`).',
  }),
  add_trailer_inherit: directive({
    in: HSLI,
    args: inherit,
    default: 'on',
    since: '1.29.3',
    doc: 'The same for add_trailer.',
  }),
  expires: directive({
    in: HSLI,
    args: expires,
    default: 'off',
    doc: 'Sets Expires and Cache-Control of such responses: a time from now or (`modified`) from the last change, or `@` a time of the day.',
  }),
}
type Conf = ConfOf<typeof own>

/** A field compiled: `set` puts it into the head. */
interface CompiledField {
  readonly name: string
  readonly value: Text
  readonly always: boolean
  readonly set: (r: Request, name: string, value: string) => void
  /** The whole line, when it is always the same; else empty. */
  readonly line: string
}

interface HeadersConf {
  readonly fields: readonly CompiledField[]
  /** The same with constant neighbours joined; they stand before what was added one by one. */
  readonly steps: readonly CompiledField[]
  readonly trailers: readonly CompiledField[]
  readonly expiry: Expiry
  readonly expiryText: Text | undefined
  /** Of the base kind when `expiryText` is set. */
  readonly expiryBase: 'access' | 'modified'
}

/** The module list's entry. */
export const headersModule = httpModule({
  name: 'http_headers',
  doc: 'Adds fields and trailers to responses.',
  directives: own,
  attach(conf, plan, at) {
    const fields = listOf(at.scope, 'add_header').map((f) => compileField(f, at))
    const trailers = listOf(at.scope, 'add_trailer').map((f) => compileField(f, at))
    if (fields.length === 0 && trailers.length === 0 && conf.expires.kind === 'off') return
    plan.headerFilter(addFields, { fields, steps: joined(fields), trailers, ...compileExpires(conf, at) })
  },
})

/** The fields that hold in a block, inherited as its `*_inherit` says. */
function listOf(scope: Scope, name: 'add_header' | 'add_trailer'): readonly Field[] {
  const set: readonly Field[] = (scope.own(own)[name] ?? []) as readonly Field[]
  const { parent } = scope
  const mode = (scope as ScopeView).resolve(own)[`${name}_inherit`]
  if (mode === 'off' || parent === undefined) return set
  if (set.length > 0 && mode !== 'merge') return set
  return [...set, ...listOf(parent, name)]
}

/** Makes one step of neighbours that are always the same, so that they cost one addition of text per response. */
function joined(fields: readonly CompiledField[]): CompiledField[] {
  const steps: CompiledField[] = []
  for (const field of fields) {
    const last = steps.at(-1)
    if (field.line === '' || last === undefined || last.line === '' || last.always !== field.always) steps.push(field)
    else steps[steps.length - 1] = lineField(last.line + field.line, field.always)
  }
  return steps.map((step) => (step.line === '' ? step : lineField(step.line, step.always)))
}

function lineField(line: string, always: boolean): CompiledField {
  return { name: '', value: () => line, always, line, set: addLine }
}

const addLine: CompiledField['set'] = (r, _name, value) => {
  r.out.lines += value
}

function compileField({ name, value, always }: Field, at: AttachContext): CompiledField {
  const special = SETTERS[name.toLowerCase()]
  const { constant } = value
  const line = special === undefined && constant !== undefined && constant !== '' ? `${name}: ${constant}\r\n` : ''
  return { name, value: at.text(value), always, line, set: special ?? addPlain }
}

function compileExpires(conf: Conf, at: AttachContext): Pick<HeadersConf, 'expiry' | 'expiryText' | 'expiryBase'> {
  const { kind, seconds, text } = conf.expires
  const expiryBase = kind === 'modified' ? 'modified' : 'access'
  return { expiry: { kind, seconds }, expiryText: text && at.text(text), expiryBase }
}

const SAFE: ReadonlySet<number> = new Set([200, 201, 204, 206, 301, 302, 303, 304, 307, 308])

function addFields(r: Request, conf: HeadersConf): void {
  if (r !== r.main) return
  const safe = SAFE.has(r.out.status)
  if (safe && conf.expiry.kind !== 'off') setExpires(r, conf)
  const fields = r.out.names.length === 0 ? conf.steps : conf.fields
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!
    if (safe || field.always) field.set(r, field.name, field.value(r))
  }
  if (conf.trailers.length > 0) expectTrailers(r, conf.trailers, safe)
}

/** nginx frames a body that trailers follow in chunks, whether or not its length is known. */
function expectTrailers(r: Request, trailers: readonly CompiledField[], safe: boolean): void {
  if (!safe && !trailers.some((trailer) => trailer.always)) return
  const { out } = r
  const earlier = out.trailers
  out.trailersOptional = false
  out.trailers = () => {
    // Each may speak of those before it by `$sent_trailer_*`.
    out.trailerLines = earlier?.() ?? ''
    for (const trailer of trailers) {
      if (!safe && !trailer.always) continue
      const value = fieldValue(r, trailer.name, trailer.value(r))
      if (value !== '') out.trailerLines += trailer.name + ': ' + value + '\r\n'
    }
    return out.trailerLines
  }
}

const addPlain: CompiledField['set'] = (r, name, value) => {
  if (value !== '') r.out.add(name, value)
}

/** Fields that the engine keeps apart, and that replace what was there. */
const SETTERS: Readonly<Record<string, CompiledField['set']>> = {
  'last-modified': (r, name, value) => {
    const { out } = r
    out.remove('last-modified')
    out.lastModified = value === '' ? UNKNOWN : parseHttpDate(value)
    out.lastModifiedSent = true
    if (value !== '' && out.lastModified < 0) out.add(name, value)
  },
  etag: (r, _name, value) => {
    r.out.remove('etag')
    r.out.etag = value
  },
}

function setExpires(r: Request, conf: HeadersConf): void {
  const { out } = r
  let { expiry } = conf
  if (conf.expiryText !== undefined) {
    const parsed = parseExpires(conf.expiryText(r), conf.expiryBase)
    if (typeof parsed === 'string' || parsed.kind === 'off') return
    expiry = parsed
  }
  let at = expiry.seconds
  let maxAge = at
  if (expiry.kind === 'epoch') return setBoth(r, 'Thu, 01 Jan 1970 00:00:01 GMT', 'no-cache')
  if (expiry.kind === 'max') return setBoth(r, 'Thu, 31 Dec 2037 23:55:55 GMT', 'max-age=315360000')
  if (at === 0 && expiry.kind !== 'daily') return setBoth(r, clock.httpDate, 'max-age=0')
  if (expiry.kind === 'daily') {
    at = nextTimeOfDay(at)
    maxAge = at - clock.seconds
  } else if (expiry.kind === 'access' || out.lastModified === UNKNOWN) {
    at += clock.seconds
  } else {
    at += out.lastModified
    maxAge = at - clock.seconds
  }
  setBoth(r, formatHttpDate(at), conf.expiry.seconds < 0 || maxAge < 0 ? 'no-cache' : 'max-age=' + maxAge)
}

function setBoth(r: Request, expires: string, cacheControl: string): void {
  replace(r, 'Expires', 'expires', expires)
  replace(r, 'Cache-Control', 'cache-control', cacheControl)
}

/** Puts one value in place of what a back end or an earlier filter had to say. */
function replace(r: Request, name: string, lowerName: string, value: string): void {
  r.out.remove(lowerName)
  r.out.add(name, value)
}

/** The next moment at which the local time of day is `seconds` (ngx_next_time). */
function nextTimeOfDay(seconds: number): number {
  const now = new Date(clock.now)
  const day = new Date(now.getFullYear(), now.getMonth(), now.getDate(), 0, 0, seconds)
  if (day.getTime() / 1000 - clock.seconds > 0) return day.getTime() / 1000
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, 0, 0, seconds).getTime() / 1000
}
