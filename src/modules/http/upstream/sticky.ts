/**
 * ngx_http_upstream_sticky_module: clients stay with the server that served them first. The server's id comes from a
 * cookie that is set here (`cookie`), from variables (`route`), or from a session that was learned of (`learn`).
 */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { directive, type ReadContext, type ScopeView } from '../../../config/directive.ts'
import type { Position, Word } from '../../../config/source.ts'
import { parseMilliseconds, parseSeconds, parseSize } from '../../../config/units.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import type { Getter } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { defineSlot } from '../../../http/request/slots.ts'
import { clock } from '../../../lib/clock.ts'
import { formatCookieDate } from '../../../lib/http-date.ts'
import { ALERT, WARN } from '../../../log/error-log.ts'
import { ZONE_SIZE_MIN, Zone } from '../../../shared/zone.ts'
import { GOOD, type Outcome, type PeerGroup, type Sticky } from '../../../upstream/group.ts'
import type { Peer } from '../../../upstream/peer.ts'
import { NO_ROOM, PUSHED_OUT, StickySessions } from '../../../upstream/sticky-sessions.ts'
import { readTemplate, type Template } from '../../../value/template.ts'
import { variableName } from '../../../value/variable-name.ts'

const ZONE_KIND = 'sticky'
const LEARN_TIMEOUT_MS = 600_000
const FOREVER = '; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000'
const SAMESITE: readonly string[] = ['strict', 'lax', 'none']

/** `sticky cookie`. */
interface CookieSpec {
  readonly kind: 'cookie'
  readonly name: string
  /** In seconds; undefined: until the browser ends. */
  readonly expires: number | 'max' | undefined
  readonly domain: Template | undefined
  readonly samesite: Template | undefined
  readonly httponly: boolean
  readonly secure: boolean
  readonly path: string | undefined
}

/** `sticky route`. */
interface RouteSpec {
  readonly kind: 'route'
  readonly variables: readonly string[]
}

/** `sticky learn`. */
interface LearnSpec {
  readonly kind: 'learn'
  readonly create: readonly string[]
  readonly lookup: readonly string[]
  readonly zone: string
  readonly size: number
  readonly timeoutMs: number
  /** Learns when the head of a response is there, and not at its end. */
  readonly header: boolean
  readonly at: Position
}

type Spec = CookieSpec | RouteSpec | LearnSpec

/** The directives of this part; they stand inside `upstream`. */
export const stickyDirectives = {
  sticky: directive({
    in: ['upstream'],
    args: mapped(
      raw('cookie name [parameters] | route $variable ... | learn parameters', { min: 2 }),
      ([kind, ...words], _, at): Spec => {
        if (kind!.text === 'cookie') return readCookie(words, at)
        if (kind!.text === 'route') return { kind: 'route', variables: words.map((word) => variableName(word, at)) }
        if (kind!.text === 'learn') return readLearn(words, at)
        return at.fail(`unknown parameter "${kind!.text}"`, kind)
      },
    ),
    duplicate: '"sticky" directive is duplicate',
    doc: 'Binds clients to servers: by a cookie, by what a variable says, or by sessions that are learned.',
  }),
}

/** A problem with the directive as a whole, in the form of nginx's handlers. */
function problem(at: ReadContext, message: string, word?: Word): never {
  return at.fail(`"sticky" directive ${message}`, word)
}

function readCookie([name, ...words]: readonly Word[], at: ReadContext): CookieSpec {
  if (name!.text === '') problem(at, 'empty cookie name', name)
  const given = new Map<string, Word>()
  for (const word of words) {
    const key = /^(domain|path|expires|samesite)=|^(httponly|secure)$/.exec(word.text)
    const parameter = key?.[1] ?? key?.[2]
    if (parameter === undefined) at.fail(`unknown parameter "${word.text}"`, word)
    if (given.has(parameter)) problem(at, `parameter "${parameter}" is duplicate`, word)
    const text = word.text.slice(parameter.length + 1)
    if (text === '' && (parameter === 'domain' || parameter === 'path'))
      problem(at, `no value for "${parameter}"`, word)
    given.set(parameter, { ...word, text })
  }
  const { expires, domain, samesite, path } = Object.fromEntries(given)
  return {
    kind: 'cookie',
    name: name!.text,
    expires: expires === undefined ? undefined : readExpires(expires, at),
    domain: domain === undefined ? undefined : readTemplate(domain, at),
    samesite: samesite === undefined ? undefined : readSamesite(samesite, at),
    httponly: given.has('httponly'),
    secure: given.has('secure'),
    path: path?.text,
  }
}

function readExpires(word: Word, at: ReadContext): number | 'max' {
  if (word.text === 'max') return 'max'
  return parseSeconds(word.text) ?? problem(at, 'invalid "expires" parameter value', word)
}

function readSamesite(word: Word, at: ReadContext): Template {
  const value = readTemplate(word, at)
  if (value.constant === undefined || SAMESITE.includes(value.constant.toLowerCase())) return value
  return problem(at, 'invalid "samesite" parameter value', word)
}

function readLearn(words: readonly Word[], at: ReadContext): LearnSpec {
  const create: string[] = []
  const lookup: string[] = []
  let zone: { readonly name: string; readonly size: number } | undefined
  let timeoutMs: number | undefined
  let header = false
  for (const word of words) {
    const [, key, value = ''] = /^(zone|timeout|create|lookup)=(.*)$/s.exec(word.text) ?? []
    if (key === 'zone') {
      if (zone !== undefined) problem(at, 'duplicate zone', word)
      zone = readZone(value, word, at)
    } else if (key === 'timeout') {
      if (timeoutMs !== undefined) problem(at, 'duplicate timeout', word)
      timeoutMs = parseMilliseconds(value) || problem(at, 'invalid timeout', word)
    } else if (key !== undefined) {
      if (!value.startsWith('$')) problem(at, `missing variable in the "${key}" parameter`, word)
      const names = key === 'create' ? create : lookup
      names.push(value.slice(1))
    } else if (word.text === 'header') header = true
    else at.fail(`unknown parameter "${word.text}"`, word)
  }
  if (lookup.length === 0) problem(at, '"lookup" parameter is not specified')
  if (create.length === 0) problem(at, '"create" parameter is not specified')
  if (zone === undefined) return problem(at, '"zone" parameter is not specified')
  const { name, size } = zone
  return {
    kind: 'learn',
    create,
    lookup,
    zone: name,
    size,
    timeoutMs: timeoutMs ?? LEARN_TIMEOUT_MS,
    header,
    at: at.end,
  }
}

function readZone(value: string, word: Word, at: ReadContext): { readonly name: string; readonly size: number } {
  const colon = value.indexOf(':')
  if (colon < 0) problem(at, 'zone size is not specified', word)
  if (colon === 0) problem(at, 'zone name is not specified', word)
  const size = parseSize(value.slice(colon + 1)) ?? problem(at, 'invalid zone size', word)
  if (size < ZONE_SIZE_MIN) problem(at, 'zone is too small', word)
  return { name: value.slice(0, colon), size }
}

/** Gives a group its `sticky`, if it has one. */
export function attachSticky(group: PeerGroup, scope: ScopeView, tree: HttpTree): void {
  const { sticky } = scope.resolve(stickyDirectives)
  if (sticky === undefined) return
  const sessions = sticky.kind === 'learn' ? openSessions(sticky, group.name, tree) : undefined
  // Variables may be declared anywhere in the configuration.
  tree.afterAttach(() => {
    if (sticky.kind === 'route') group.sticky = new ByRoute(getters(sticky.variables, tree))
    else if (sticky.kind === 'cookie') group.sticky = new ByCookie(sticky, tree)
    else {
      const lookup = getters(sticky.lookup, tree)
      const create = getters(sticky.create, tree)
      if (sessions !== undefined) group.sticky = new ByLearning(sessions, lookup, create, sticky)
    }
  })
}

function getters(names: readonly string[], tree: HttpTree): readonly Getter[] {
  return names.map((name) => tree.variable(name))
}

/** One zone belongs to one group. */
function openSessions(spec: LearnSpec, group: string, tree: HttpTree): StickySessions | undefined {
  const owners = tree.shared('sticky zones', () => new Map<string, string>())
  const { zone, size, timeoutMs, at } = spec
  const owner = owners.get(zone)
  if (owner !== undefined) {
    tree.fail(`sticky zone "${zone}" is already used in upstream "${owner}"`, at)
    return undefined
  }
  owners.set(zone, group)
  const bound = { owner: `sticky zone "${zone}"`, kind: 'upstream', value: group }
  const buffer = tree.zone(zone, size, ZONE_KIND, at, bound)
  const memory = buffer === undefined ? undefined : Zone.attach(zone, buffer, ZONE_KIND)
  return memory === undefined ? undefined : new StickySessions(memory, timeoutMs)
}

/** The first of the variables that has a value. */
function firstValue(r: Request, variables: readonly Getter[]): string {
  for (let i = 0; i < variables.length; i++) {
    const value = variables[i]!(r)
    if (value !== undefined && value !== '') return value
  }
  return ''
}

/** The request itself says which server it is for. */
class ByRoute implements Sticky {
  readonly #variables: readonly Getter[]

  constructor(variables: readonly Getter[]) {
    this.#variables = variables
  }

  serverOf(r: Request): string {
    return firstValue(r, this.#variables)
  }
  onPick(_r: Request, _peer: Peer): void {}
  onHead(): void {}
  onDone(): void {}
}

/** Where in the response head the cookie of this request stands, plus one: a retry with another server replaces it. */
const cookieAt = defineSlot<number>()

/** Browsers are told the server's id, and send it along. */
class ByCookie extends ByRoute {
  readonly #spec: CookieSpec
  readonly #domain: ((r: Request) => string) | undefined
  readonly #samesite: ((r: Request) => string) | undefined

  constructor(spec: CookieSpec, tree: HttpTree) {
    super(getters([`cookie_${spec.name}`], tree))
    this.#spec = spec
    this.#domain = spec.domain === undefined ? undefined : tree.text(spec.domain)
    this.#samesite = spec.samesite === undefined ? undefined : tree.text(spec.samesite)
  }

  override onPick(r: Request, peer: Peer): void {
    const cookie = this.#cookie(r, peer.sid)
    const at = r.get(cookieAt)
    if (at !== undefined) {
      r.out.values[at - 1] = cookie
      return
    }
    r.out.add('Set-Cookie', cookie)
    r.set(cookieAt, r.out.names.length)
  }

  #cookie(r: Request, sid: string): string {
    const { name, expires, httponly, secure, path } = this.#spec
    let cookie = `${name}=${sid}`
    if (expires === 'max') cookie += FOREVER
    else if (expires !== undefined) {
      cookie += `; expires=${formatCookieDate(clock.seconds + expires)}; max-age=${expires}`
    }
    const domain = this.#domain?.(r) ?? ''
    if (domain !== '') cookie += `; domain=${domain}`
    if (httponly) cookie += '; httponly'
    if (secure) cookie += '; secure'
    const samesite = this.#samesite?.(r) ?? ''
    // A variable may say anything: what is no value becomes the safest one.
    if (samesite !== '') cookie += `; samesite=${SAMESITE.includes(samesite.toLowerCase()) ? samesite : 'strict'}`
    return path === undefined ? cookie : `${cookie}; path=${path}`
  }
}

/** Sessions that back ends begin are remembered. */
class ByLearning implements Sticky {
  readonly #sessions: StickySessions
  readonly #lookup: readonly Getter[]
  readonly #create: readonly Getter[]
  readonly #atHead: boolean
  readonly #zone: string

  constructor(sessions: StickySessions, lookup: readonly Getter[], create: readonly Getter[], spec: LearnSpec) {
    this.#sessions = sessions
    this.#lookup = lookup
    this.#create = create
    this.#atHead = spec.header
    this.#zone = spec.zone
  }

  serverOf(r: Request): string {
    const id = firstValue(r, this.#lookup)
    return id === '' ? '' : this.#sessions.serverOf(id)
  }

  onPick(): void {}

  onHead(r: Request, peer: Peer): void {
    if (this.#atHead) this.#learn(r, peer)
  }

  onDone(r: Request, peer: Peer, outcome: Outcome): void {
    if (!this.#atHead && outcome === GOOD) this.#learn(r, peer)
  }

  #learn(r: Request, peer: Peer): void {
    const made = firstValue(r, this.#create)
    const id = made !== '' ? made : firstValue(r, this.#lookup)
    if (id === '') return
    const result = this.#sessions.learn(id, peer.sid, made !== '')
    const where = ` in sticky session zone "${this.#zone}"`
    if (result === PUSHED_OUT || result === NO_ROOM) {
      r.logError(WARN, `could not allocate node${where}, expiring least recently used session`)
    }
    if (result === NO_ROOM) r.logError(ALERT, `could not allocate node${where}`)
  }
}
