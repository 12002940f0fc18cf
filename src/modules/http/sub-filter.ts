/** ngx_http_sub_filter_module: replaces text in responses as they pass, wherever the pieces are cut. */

import { flag } from '../../config/args.ts'
import { type Args, directive, directives } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { type BodySink, FLUSH, LAST, LENT, STABLE } from '../../http/message/body.ts'
import { MimeSet, mimeTypes } from '../../http/message/mime-set.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { HoldingFilter } from '../../http/response/holding-filter.ts'
import { GATHERED_MAX, PieceGatherer } from '../../http/response/piece-gatherer.ts'
import { NO_BYTES } from '../../lib/bytes.ts'
import { Lru } from '../../lib/lru.ts'
import { FOUND, NOT_FOUND, PARTLY, PatternFinder } from '../../lib/pattern-finder.ts'
import { readTemplate, type Template } from '../../value/template.ts'

const HSL = ['http', 'server', 'location'] as const
const PATTERNS_MAX = 255

interface Rule {
  readonly search: Template
  readonly replacement: Template
}

const ruleArgs: Args<Rule> = {
  syntax: 'string replacement',
  min: 2,
  max: 2,
  read([search, replacement], at) {
    if (search!.text === '') at.fail('empty search pattern', search)
    return { search: readTemplate(search!, at), replacement: readTemplate(replacement!, at) }
  },
}

interface SubConf {
  readonly once: boolean
  readonly lastModified: boolean
  readonly types: MimeSet
  /** The finder when no search text has variables. */
  readonly finder: PatternFinder | undefined
  readonly searches: readonly Text[]
  readonly replacements: readonly Text[]
}

/** The module list's entry. */
export const subFilterModule = httpModule({
  name: 'http_sub',
  doc: 'Replaces text in responses.',
  directives: {
    sub_filter: directives({ in: HSL, args: ruleArgs, doc: 'Text, without regard to case, and what takes its place.' }),
    sub_filter_types: directives({
      in: HSL,
      args: mimeTypes(),
      doc: 'Media types in which text is replaced, beside text/html; `*` means all.',
    }),
    sub_filter_once: directive({ in: HSL, args: flag, default: 'on', doc: 'Replaces each text once.' }),
    sub_filter_last_modified: directive({
      in: HSL,
      args: flag,
      default: 'off',
      doc: 'Keeps Last-Modified of a response that is changed.',
    }),
  },
  attach(conf, plan, at) {
    const rules = conf.sub_filter
    if (rules.length === 0) return
    if (rules.length > PATTERNS_MAX) at.fail('number of search patterns exceeds 255', at.scope.at)
    const constant = rules.flatMap(({ search }) => search.constant ?? [])
    plan.headerFilter(begin, {
      once: conf.sub_filter_once,
      lastModified: conf.sub_filter_last_modified,
      types: new MimeSet(conf.sub_filter_types, 'text/html'),
      finder: constant.length === rules.length ? new PatternFinder(constant) : undefined,
      searches: rules.map(({ search }) => at.text(search)),
      replacements: rules.map(({ replacement }) => at.text(replacement)),
    })
  },
})

function begin(r: Request, conf: SubConf): void {
  const { out } = r
  if (out.contentLength === 0 || !conf.types.has(out.contentType)) return
  let { finder, replacements } = conf
  if (finder === undefined) {
    const searches = conf.searches.map((search) => search(r))
    // A variable may be empty: then there is nothing to look for.
    replacements = replacements.filter((_, i) => searches[i] !== '')
    if (replacements.length === 0) return
    finder = finderFor(searches.filter((search) => search !== ''))
  }
  if (r === r.main) {
    out.transform()
    if (!conf.lastModified) {
      out.clearValidators()
    }
  }
  out.seekable = false
  if (r.headerOnly) return
  const found = finder
  r.addBodyFilter((next) => new SubBody(next, r, found, replacements, conf.once))
}

/** Finders for texts that came from variables. */
const finders = new Lru<string, PatternFinder>(256)

function finderFor(searches: readonly string[]): PatternFinder {
  const key = JSON.stringify(searches)
  const known = finders.get(key)
  if (known !== undefined) return known
  const made = new PatternFinder(searches)
  finders.set(key, made)
  return made
}

class SubBody extends HoldingFilter {
  readonly #finder: PatternFinder
  readonly #replacements: readonly Text[]
  /** Replacements that were made once: they stay the same for this response. */
  readonly #made: (Buffer | undefined)[] = []
  readonly #once: boolean
  /** 1 for patterns that are not looked for any more. */
  readonly #skip: Uint8Array
  #left: number
  /** Bytes that may be the beginning of a pattern. */
  #looked: Buffer = NO_BYTES
  readonly #out: PieceGatherer
  /** Input that waits for the client to take what came before. */
  #rest: Uint8Array | undefined
  #restFlags = 0

  constructor(next: BodySink, r: Request, finder: PatternFinder, replacements: readonly Text[], once: boolean) {
    super(next, r)
    this.#out = new PieceGatherer(next)
    this.#finder = finder
    this.#replacements = replacements
    this.#once = once
    this.#skip = new Uint8Array(finder.count)
    this.#left = finder.count
  }

  write(bytes: Uint8Array, flags: number): boolean {
    if (this.#rest !== undefined) return this.#hold(Buffer.concat([this.#rest, bytes]), flags | STABLE)
    if (this.#looked.length === 0) return this.#work(bytes, flags)
    const joined = Buffer.concat([this.#looked, bytes])
    this.#looked = NO_BYTES
    return this.#work(joined, (flags | STABLE) & ~LENT)
  }

  #work(bytes: Uint8Array, flags: number): boolean {
    const finder = this.#finder
    const out = this.#out
    const kind = flags & (STABLE | LENT)
    for (let at = 0; at < bytes.length; ) {
      const outcome = this.#left === 0 ? NOT_FOUND : finder.find(bytes, at, this.#skip)
      const { start, index } = finder
      // At the end of a body a beginning is all there is.
      const partly = outcome === PARTLY && (flags & LAST) === 0
      const stop = outcome === FOUND || partly ? start : bytes.length
      out.add(bytes, at, stop, kind)
      at = stop
      if (partly) {
        this.#looked = Buffer.from(bytes.subarray(at))
        break
      }
      if (outcome !== FOUND) break
      at += finder.lengthOf(index)
      const replacement = this.#replace(index)
      out.add(replacement, 0, replacement.length, STABLE)
      if (out.size >= GATHERED_MAX && !out.pass(0)) return this.#hold(bytes.subarray(at), flags)
    }
    return out.pass(flags & (LAST | FLUSH))
  }

  #hold(rest: Uint8Array, flags: number): false {
    this.#rest = (flags & STABLE) !== 0 ? rest : Buffer.from(rest)
    this.#restFlags = (flags | STABLE) & ~LENT
    return this.stall()
  }

  onDrain(): void {
    const rest = this.#rest ?? NO_BYTES
    const flags = this.#restFlags
    this.#rest = undefined
    const behind = this.step()
    if (this.#work(rest, flags) && (flags & LAST) === 0) behind?.onDrain()
  }

  protected drop(): void {
    this.#out.drop()
    this.#rest = undefined
  }

  #replace(index: number): Buffer {
    const known = this.#made[index]
    const replacement = known ?? Buffer.from(this.#replacements[index]!(this.r), 'latin1')
    this.#made[index] = replacement
    if (this.#once) {
      this.#skip[index] = 1
      this.#left--
    }
    return replacement
  }
}
