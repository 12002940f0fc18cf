/**
 * ngx_http_map_module: a variable whose value depends on another text. Keys without variables stand in one table,
 * regular expressions are tried in order after it. Texts are compiled when all variables are known.
 */
import { tableSize } from '../../config/args.ts'
import { type Args, type BlockValue, block, directive, type Entry } from '../../config/directive.ts'
import type { Word } from '../../config/source.ts'
import type { HttpTree } from '../../http/compile/module.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { HostTable } from '../../lib/host-table.ts'
import type { Steps } from '../../lib/steps.ts'
import type { CapturePattern } from '../../tree/context.ts'
import { compilePattern, type Pattern } from '../../value/regex.ts'
import { literal, readTemplate, type Template } from '../../value/template.ts'
import { type DerivedVariable, derivedVariable } from '../../value/variable-name.ts'

type MapEntry =
  | { readonly kind: 'hostnames' }
  | { readonly kind: 'volatile' }
  | { readonly kind: 'default'; readonly value: Template }
  | { readonly kind: 'key'; readonly key: string; readonly value: Template | string }
  | { readonly kind: 'regex'; readonly pattern: Pattern; readonly value: Template }

const entry: Args<MapEntry> = {
  syntax: 'value result',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read(words, at) {
    const [key, result] = words as [Word, Word?]
    if (words.length === 1 && (key.text === 'hostnames' || key.text === 'volatile')) return { kind: key.text }
    if (result === undefined || words.length !== 2) return at.fail('invalid number of the map parameters')
    const template = readTemplate(result, at)
    // Nearly all are constant, and there may be very many.
    const value = template.constant ?? template
    const { text } = key
    if (text === 'default') return { kind: 'default', value: template }
    if (!text.startsWith('~')) return { kind: 'key', key: text.startsWith('\\') ? text.slice(1) : text, value }
    const caseless = text.startsWith('~*')
    const pattern = compilePattern(text.slice(caseless ? 2 : 1), { caseless }, (message) => at.fail(message, key))
    return { kind: 'regex', pattern, value: template }
  },
}

const hash = { withoutEffect: 'Viaduct sizes its tables itself.' }

const directives = {
  map: block({
    in: ['http'],
    args: derivedVariable,
    opens: 'map',
    entry,
    doc: 'Makes a variable whose value depends on a text: the block lists texts with what they stand for.',
  }),
  map_hash_max_size: directive({
    in: ['http'],
    args: tableSize,
    default: '2048',
    doc: 'Table of a map.',
    ...hash,
  }),
  map_hash_bucket_size: directive({
    in: ['http'],
    args: tableSize,
    default: '64',
    doc: 'Table of a map.',
    ...hash,
  }),
}

/** The module list's entry. */
export const mapModule = httpModule({
  name: 'http_map',
  doc: 'Variables that depend on other texts.',
  directives,
  *init(conf, tree) {
    for (const map of conf.map) yield* declareMap(map, tree)
  },
})

type MapBlock = BlockValue<DerivedVariable, MapEntry>

function* declareMap({ args, entries, drop, close }: MapBlock, tree: HttpTree): Steps<void> {
  if (tree.variables.isFixed(args.variable)) {
    tree.fail(`the duplicate "${args.variable}" variable`, close)
    return
  }
  let hostnames = false
  let volatile = false
  for (const { value } of entries) {
    if (value.kind === 'hostnames') hostnames = true
    else if (value.kind === 'volatile') volatile = true
  }
  const map = new MapVariable(hostnames)
  let count = 0
  for (const one of entries) {
    if (count++ % ENTRIES_PER_STEP === 0) yield
    map.add(one, tree)
  }
  tree.variables.computed(args.variable, (r) => map.value(r), volatile)
  drop()
  tree.afterAttach(() => map.compile(args.source, tree))
}

const ENTRIES_PER_STEP = 200

/** A result: its template until all variables are known, then its text. */
interface Result {
  readonly template: Template
  text: Text
}

const unset: Text = () => ''

class MapVariable {
  readonly #hostnames: boolean
  readonly #table = new HostTable<Result | string>()
  readonly #regexes: { readonly pattern: CapturePattern; readonly result: Result | string }[] = []
  readonly #results: Result[] = []
  #source: Text = unset
  #default: Result | string = { template: literal(''), text: unset }
  #hasDefault = false

  constructor(hostnames: boolean) {
    this.#hostnames = hostnames
  }

  add({ value, at }: Entry<MapEntry>, tree: HttpTree): void {
    if (value.kind === 'hostnames' || value.kind === 'volatile') return
    const result = this.#result(value.value)
    if (value.kind === 'regex') {
      this.#regexes.push({ pattern: tree.pattern(value.pattern), result })
    } else if (value.kind === 'key') {
      const added = this.#hostnames ? this.#table.add(value.key, result) : this.#table.addExact(value.key, result)
      if (added === 'invalid') tree.fail(`invalid hostname or wildcard "${value.key}"`, at)
      else if (added === 'conflict') tree.fail(`conflicting parameter "${value.key}"`, at)
    } else if (this.#hasDefault) {
      tree.fail('duplicate default map parameter', at)
    } else {
      this.#hasDefault = true
      this.#default = result
    }
  }

  #result(value: Template | string): Result | string {
    if (typeof value === 'string') return value
    const result = { template: value, text: unset }
    this.#results.push(result)
    return result
  }

  compile(source: Template, tree: HttpTree): void {
    this.#source = tree.text(source)
    for (const result of this.#results) result.text = tree.text(result.template)
  }

  value(r: Request): string {
    let subject = this.#source(r)
    if (this.#hostnames && subject.endsWith('.')) subject = subject.slice(0, -1)
    const found = this.#find(r, subject)
    return typeof found === 'string' ? found : found.text(r)
  }

  #find(r: Request, subject: string): Result | string {
    const found = this.#table.find(subject)
    if (found !== undefined) return found
    if (subject !== '') {
      for (let i = 0; i < this.#regexes.length; i++) {
        const { pattern, result } = this.#regexes[i]!
        if (r.match(pattern, subject)) return result
      }
    }
    return this.#default
  }
}
