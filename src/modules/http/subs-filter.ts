/**
 * ngx_http_subs_filter_module (of Weibin Yao): replaces text and what regular expressions match, line by line. Unlike with
 * `sub_filter` the rules work one after the other, each on what those before it made of the line.
 */
import { raw, size, sizeList } from '../../config/args.ts'
import { mapped } from '../../config/combine.ts'
import { type Args, directive, directives } from '../../config/directive.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import { BodyFilter, type BodySink, FLUSH, LAST, STABLE } from '../../http/message/body.ts'
import { MimeSet, mimeTypes } from '../../http/message/mime-set.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { lowerAscii, NO_BYTES } from '../../lib/bytes.ts'
import { ERROR } from '../../log/error-log.ts'
import type { CapturePattern } from '../../tree/context.ts'
import { compilePattern, type Pattern } from '../../value/regex.ts'
import { readTemplate, type Template, templates } from '../../value/template.ts'
import { isTrue } from '../../value/truth.ts'

const HSL = ['http', 'server', 'location'] as const
/** A longer line is worked on in pieces of this size. */
const LINE_SIZE_MAX = 1024 * 1024

interface Rule {
  /** What is looked for: a text (in lower case when case does not matter), or a pattern. */
  readonly search: string | Pattern
  readonly caseless: boolean
  readonly once: boolean
  readonly replacement: Template
}

const ruleArgs: Args<Rule> = mapped(
  raw('source_str destination_str [flags]', { min: 2, max: 3 }),
  ([source, destination, flags], _, at) => {
    const given = flags?.text ?? 'g'
    if (!/^[gior]+$/.test(given)) at.fail(`invalid flags "${given}"`, flags)
    if (source!.text === '') at.fail('empty search pattern', source)
    const caseless = given.includes('i')
    const text = source!.text
    const search = given.includes('r')
      ? compilePattern(source!.text, { caseless }, (message) => at.fail(message, source))
      : caseless
        ? lowerAscii(text)
        : text
    return { search, caseless, once: given.includes('o'), replacement: readTemplate(destination!, at) }
  },
)

interface CompiledRule {
  readonly text: string
  readonly pattern: CapturePattern | undefined
  readonly caseless: boolean
  readonly once: boolean
  readonly replacement: Text
}

interface SubsConf {
  readonly rules: readonly CompiledRule[]
  readonly types: MimeSet
  readonly bypass: readonly Text[]
}

/** The module list's entry. */
export const subsFilterModule = httpModule({
  name: 'http_subs_filter',
  doc: 'Replaces texts and patterns in responses, line by line.',
  directives: {
    subs_filter: directives({
      in: HSL,
      args: ruleArgs,
      doc: 'A text and what takes its place; `r`: a regular expression, `i`: without regard to case, `o`: once in a response.',
    }),
    subs_filter_types: directives({
      in: HSL,
      args: mimeTypes(),
      doc: 'Media types in which text is replaced, beside text/html; `*` means all.',
    }),
    subs_filter_bypass: directive({
      in: HSL,
      args: templates,
      doc: 'Nothing is replaced when one of these is neither empty nor 0.',
    }),
    subs_line_buffer_size: directive({
      in: HSL,
      args: size,
      doc: 'Memory for a line.',
      withoutEffect: 'a line takes what it needs, up to 1m',
    }),
    subs_buffers: directive({
      in: HSL,
      args: sizeList,
      doc: 'Memory for what is made.',
      withoutEffect: 'what one buffer becomes is passed on at once',
    }),
  },
  attach(conf, plan, at) {
    if (conf.subs_filter.length === 0) return
    plan.headerFilter(begin, {
      rules: conf.subs_filter.map((rule) => compileRule(rule, at)),
      types: new MimeSet(conf.subs_filter_types, 'text/html'),
      bypass: (conf.subs_filter_bypass ?? []).map((value) => at.text(value)),
    })
  },
})

function compileRule({ search, caseless, once, replacement }: Rule, at: AttachContext): CompiledRule {
  const pattern = typeof search === 'string' ? undefined : at.pattern(search)
  const text = typeof search === 'string' ? search : ''
  return { text, pattern, caseless, once, replacement: at.text(replacement) }
}

function begin(r: Request, conf: SubsConf): void {
  const { out } = r
  if (out.contentLength === 0 || out.contentEncoding !== '' || !conf.types.has(out.contentType)) return
  for (let i = 0; i < conf.bypass.length; i++) if (isTrue(conf.bypass[i]!(r))) return
  if (r === r.main) {
    out.transform()
    out.clearValidators()
  }
  out.seekable = false
  if (!r.headerOnly) r.addBodyFilter((next) => new SubsBody(next, r, conf.rules))
}

class SubsBody extends BodyFilter {
  readonly #r: Request
  readonly #rules: readonly CompiledRule[]
  /** 1 for rules that work once and have. */
  readonly #spent: Uint8Array
  /** A line that has not ended yet. */
  #line = ''

  constructor(next: BodySink, r: Request, rules: readonly CompiledRule[]) {
    super(next)
    this.#r = r
    this.#rules = rules
    this.#spent = new Uint8Array(rules.length)
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const text = this.#line + (bytes as Buffer).latin1Slice(0, bytes.length)
    let made = ''
    let at = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
      made += this.#replaceIn(text.slice(at, end + 1))
      at = end + 1
    }
    this.#line = text.slice(at)
    if ((flags & LAST) !== 0 || this.#line.length > LINE_SIZE_MAX) {
      made += this.#replaceIn(this.#line)
      this.#line = ''
    }
    const kind = (flags & (LAST | FLUSH)) | STABLE
    if (made === '' && (flags & (LAST | FLUSH)) === 0) return true
    return this.next.write(made === '' ? NO_BYTES : Buffer.from(made, 'latin1'), kind)
  }

  #replaceIn(line: string): string {
    let text = line
    for (let i = 0; i < this.#rules.length && text !== ''; i++) {
      if (this.#spent[i] === 0) text = this.#apply(this.#rules[i]!, i, text)
    }
    return text
  }

  #apply(rule: CompiledRule, index: number, line: string): string {
    const { pattern, text, once } = rule
    const searched = rule.caseless && pattern === undefined ? lowerAscii(line) : line
    let made = ''
    let at = 0
    while (at < line.length) {
      // As in the original, a pattern sees what is left of the line as a text of its own.
      const rest = at === 0 ? searched : searched.slice(at)
      const found = pattern === undefined ? rest.indexOf(text) : this.#search(pattern, rest)
      if (found < 0) break
      const length = pattern === undefined ? text.length : pattern.pattern.captures[0]!.length
      made += line.slice(at, at + found) + this.#replacement(rule)
      at += found + length
      if (once) {
        this.#spent[index] = 1
        break
      }
      // An empty match would be found again.
      if (length === 0) made += line.charAt(at++)
    }
    return at === 0 ? line : made + line.slice(at)
  }

  #search({ pattern }: CapturePattern, text: string): number {
    const found = pattern.search(text)
    if (pattern.gaveUp) this.#r.logError(ERROR, `"${pattern.source}" was given up on a line of ${text.length} bytes`)
    return found
  }

  /** Captures are those of this match while the text is made, and the request's own again afterwards. */
  #replacement({ pattern, replacement }: CompiledRule): string {
    const r = this.#r
    if (pattern === undefined) return replacement(r)
    const { captures } = r
    r.captures = pattern.pattern.captures
    for (let i = 0; i < pattern.slots.length; i++) {
      const [group, slot] = pattern.slots[i]!
      r.vars[slot] = r.captures[group] ?? ''
    }
    const text = replacement(r)
    r.captures = captures
    return text
  }
}
