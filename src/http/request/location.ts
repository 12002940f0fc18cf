/**
 * The compiled form of `server` and `location` blocks: immutable once the tree is built, shared by all its requests.
 * Matching follows ngx_http_core_find_location: exact, longest prefix (nested), `^~`, then regular expressions in order.
 */
import type { Scope } from '../../config/scope.ts'
import type { ErrorLog } from '../../log/error-log.ts'
import { NO_SSL, type SslServer } from '../../tls/server.ts'
import type { CapturePattern } from '../../tree/context.ts'
import type { RequestLimits } from '../message/head-limits.ts'
import type { CoreConf } from '../settings/core-directives.ts'
import { headLimitsOf } from '../settings/head-limits.ts'
import { CHUNK_SIZE_DEFAULT, HTTP2_DEFAULTS, type Http2Conf } from '../settings/http2.ts'
import type { CompiledErrorPage } from './error-pages.ts'
import { type FileAccess, PLAIN_ACCESS } from './file-access.ts'
import type { FilterStep, Step, TagStep, Text } from './plan.ts'
import type { Request } from './request.ts'
import type { Setting } from './slots.ts'

/** One `location`, or a pseudo-location (`if`, `limit_except`), or the outermost level of a server. */
export class LocationConf {
  /** As written; for a pseudo-location that of its parent. */
  readonly name: string
  readonly core: CoreConf
  readonly scope: Scope
  /** What the modules chose, filled by the compiler once. */
  rewriteSteps: readonly Step[] = []
  steps: readonly Step[] = []
  headerFilters: readonly FilterStep[] = []
  logSteps: readonly FilterStep[] = []
  endSteps: readonly FilterStep[] = []
  tagSteps: readonly TagStep[] = []
  inner: LocationTree | undefined
  exact = false
  noRegex = false
  regex: CapturePattern | undefined
  /** `if` and `limit_except`: no name of their own. */
  pseudo = false
  autoRedirect = false
  /** Something owns its content (`proxy_pass`). */
  handled = false
  /** This one for a request that an `if` before had given a handler, which this one does not have. */
  stranded: LocationConf | undefined
  internal = false
  /** `limit_except`: other methods than these (as bits) go to its own pseudo-location. */
  limitExcept: { readonly methods: number; readonly location: LocationConf } | undefined
  /** `root` or `alias` compiled; `aliasPrefix` is how much of the URI an alias replaces (-1: none, it is a root). */
  root: Text = () => ''
  aliasLength = -1
  server!: ServerConf
  /** The location that this one is nested in. */
  outer: LocationConf | undefined
  log!: ErrorLog
  /** `Server: ...` with its line end, or empty when nothing is to be told. */
  serverField = ''
  /** `Connection: keep-alive` with `Keep-Alive` where it is told. */
  keepAliveFields = 'Connection: keep-alive\r\n'
  /** `keepalive_disable` as bits of browser-quirks.ts. */
  keepAliveDisabled = 0
  /** What most responses begin with, made once a second by the serializer. */
  startText = ''
  startSecond = -1
  /** Who signs error pages. */
  signature = ''
  errorPages: readonly CompiledErrorPage[] = []
  /** Media type by extension. */
  types: ReadonlyMap<string, string> = new Map()
  defaultType = ''
  /** `uninitialized_variable_warn`. */
  warnsUninitialized = true
  /** `http2_chunk_size`: the most that one DATA frame holds. */
  http2ChunkSize = CHUNK_SIZE_DEFAULT
  /** How its files are reached. */
  fileAccess: FileAccess = PLAIN_ACCESS

  readonly #settings: unknown[] = []

  constructor(name: string, core: CoreConf, scope: Scope) {
    this.name = name
    this.core = core
    this.scope = scope
  }

  /** What a module has set for this location, else its default. */
  get<T>({ index, none }: Setting<T>): T {
    const found = this.#settings[index] as T | undefined // `set` takes values of this type only
    return found ?? none
  }

  /** The same location with other steps. */
  withSteps(steps: readonly Step[]): LocationConf {
    const copy = Object.assign(new LocationConf(this.name, this.core, this.scope), this)
    for (const setting of this.#settings) copy.#settings.push(setting)
    copy.steps = steps
    return copy
  }

  set<T>({ index }: Setting<T>, value: T): void {
    while (this.#settings.length <= index) this.#settings.push(undefined)
    this.#settings[index] = value
  }

  /** The location around this one whose block is `scope`: the one that an inherited `alias` belongs to. */
  aliasOwner(scope: Scope): LocationConf {
    for (let at: LocationConf | undefined = this; at !== undefined; at = at.outer) if (at.scope === scope) return at
    return this
  }
}

/** One `server` block. */
export class ServerConf {
  /** `$server_name`: the first name, or empty. */
  readonly name: string
  /** Settings of the server level: used until a location is found. */
  readonly base: LocationConf
  /** Runs first: post-read steps, server rewrite, find location. */
  startSteps: readonly Step[] = []
  /** Where the server's rewrite rules begin in `startSteps`: internal redirects start there. */
  rewriteAt = 0
  /** Where the step that finds the location stands. */
  findAt = 0
  /** `tunnel` is on somewhere: CONNECT may be answered. */
  allowsConnect = false
  readonly connection: CoreConf
  /** What heads may be. */
  readonly headLimits: RequestLimits
  /** What the `http2_*` directives say. */
  http2: Http2Conf = HTTP2_DEFAULTS
  /** What the `ssl_*` directives say. */
  ssl: SslServer<Request> = NO_SSL
  readonly named = new Map<string, LocationConf>()
  locations: LocationTree = new LocationTree([])

  constructor(name: string, base: LocationConf) {
    this.name = name
    this.base = base
    this.connection = base.core
    this.headLimits = headLimitsOf(base.core)
  }
}

/** No location of this level matches: the enclosing one stands. */
const NOT_FOUND = 0
/** A prefix matched; regular expressions of enclosing levels may still win. */
const PREFIX = 1
/** Nothing else is tried. */
const FINAL = 2
/** The client is sent to the location's name, which has one slash more. */
export const REDIRECT = 3

/** Prefix locations up to this many are tried one by one; beyond, by their length. */
const LINEAR_MAX = 12

/** The locations of one level. */
export class LocationTree {
  readonly #exact = new Map<string, LocationConf>()
  /** Longest first. */
  readonly #prefixes: LocationConf[] = []
  readonly #byName = new Map<string, LocationConf>()
  readonly #lengths: number[]
  /** Lengths, modulo 32, of what `#exact` and `#redirects` have: most URIs need not be looked for in either. */
  readonly #wholeLengths: number
  readonly #regexes: LocationConf[] = []
  readonly #redirects = new Map<string, LocationConf>()
  /** All of the level, in the order of the file. */
  readonly members: readonly LocationConf[]

  constructor(locations: readonly LocationConf[]) {
    this.members = locations
    for (const location of locations) {
      if (location.regex !== undefined) this.#regexes.push(location)
      else if (location.exact) this.#exact.set(location.name, location)
      else this.#prefixes.push(location)
      if (location.regex === undefined && location.autoRedirect && location.name.endsWith('/')) {
        this.#redirects.set(location.name.slice(0, -1), location)
      }
    }
    this.#prefixes.sort((a, b) => b.name.length - a.name.length)
    for (const location of this.#prefixes) this.#byName.set(location.name, location)
    this.#lengths = [...new Set(this.#prefixes.map((l) => l.name.length))]
    const whole = [...this.#exact.keys(), ...this.#redirects.keys()]
    this.#wholeLengths = whole.reduce((bits, name) => bits | (1 << (name.length & 31)), 0)
  }

  /** Sets `r.location` for `r.uri`, running down into nested locations; answers with one of the outcomes above. */
  find(r: Request): number {
    let outcome = this.#static(r)
    let noRegex = false
    if (outcome === PREFIX) {
      noRegex = r.location.noRegex
      outcome = r.location.inner?.find(r) ?? NOT_FOUND
    }
    if (outcome === FINAL || outcome === REDIRECT || noRegex) return outcome
    return this.#regex(r) ? FINAL : outcome
  }

  #static(r: Request): number {
    const { uri } = r
    if ((this.#wholeLengths & (1 << (uri.length & 31))) !== 0) {
      const exact = this.#exact.get(uri)
      if (exact !== undefined) {
        r.location = exact
        return FINAL
      }
      const redirect = this.#redirects.size === 0 ? undefined : this.#redirects.get(uri)
      if (redirect !== undefined && !this.#byName.has(uri)) {
        r.location = redirect
        return REDIRECT
      }
    }
    const prefix = this.#longest(uri)
    if (prefix === undefined) return NOT_FOUND
    r.location = prefix
    return PREFIX
  }

  #longest(uri: string): LocationConf | undefined {
    if (this.#prefixes.length <= LINEAR_MAX) {
      const prefixes = this.#prefixes
      for (let i = 0; i < prefixes.length; i++) if (uri.startsWith(prefixes[i]!.name)) return prefixes[i]
      return undefined
    }
    for (const length of this.#lengths) {
      if (length > uri.length) continue
      const location = this.#byName.get(uri.slice(0, length))
      if (location !== undefined) return location
    }
    return undefined
  }

  #regex(r: Request): boolean {
    for (const location of this.#regexes) {
      if (!r.match(location.regex!, r.uri)) continue
      r.location = location
      location.inner?.find(r)
      return true
    }
    return false
  }
}
