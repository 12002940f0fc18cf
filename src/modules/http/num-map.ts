/**
 * ngx_http_num_map_module (NGINX Plus): a variable whose value depends on a number. Single numbers come first, then ranges
 * and comparisons in the order in which they stand.
 */
import { type Args, type BlockValue, block, type Entry } from '../../config/directive.ts'
import { parseNumber } from '../../config/units.ts'
import { type HttpTree, httpModule } from '../../http/compile/module.ts'
import type { Getter, Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { literal, readTemplate, type Template } from '../../value/template.ts'
import { variableName } from '../../value/variable-name.ts'

/** What is asked about where a request is for, when no number is named. */
const SOURCE_DEFAULT = 'request_port'

interface Head {
  readonly source: string
  readonly variable: string
}

const head: Args<Head> = {
  syntax: '[$number] $variable',
  min: 1,
  max: 2,
  read(words, at) {
    const names = words.map((word) => variableName(word, at))
    const source = names.length === 2 ? names[0]! : SOURCE_DEFAULT
    if (names.length === 2) at.uses?.(source)
    return { source, variable: names.at(-1)! }
  },
}

type Line =
  | { readonly kind: 'volatile' }
  | { readonly kind: 'default'; readonly value: Template }
  | { readonly kind: 'range'; readonly least: number; readonly most: number; readonly value: Template }

const RANGE = /^(?:(\d+)(?:-(\d+))?|(<=|>=|<|>)(\d+))$/

const entry: Args<Line> = {
  syntax: 'number | number-number | <=number | >=number value',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read(words, at) {
    const [key, result] = words
    if (words.length === 1 && key!.text === 'volatile') return { kind: 'volatile' }
    if (words.length !== 2) return at.fail('invalid number of the num_map parameters')
    const value = readTemplate(result!, at)
    if (key!.text === 'default') return { kind: 'default', value }
    const range = rangeOf(key!.text)
    return range === undefined
      ? at.fail(`invalid number or range "${key!.text}"`, key)
      : { kind: 'range', ...range, value }
  },
}

function rangeOf(text: string): { least: number; most: number } | undefined {
  const [, first, last, sign, bound] = RANGE.exec(text) ?? []
  const number = parseNumber(first ?? bound ?? '')
  if (number === undefined) return undefined
  switch (sign) {
    case '<=':
      return { least: 0, most: number }
    case '<':
      return { least: 0, most: number - 1 }
    case '>=':
      return { least: number, most: Number.POSITIVE_INFINITY }
    case '>':
      return { least: number + 1, most: Number.POSITIVE_INFINITY }
    default: {
      const most = last === undefined ? number : parseNumber(last)
      return most === undefined || most < number ? undefined : { least: number, most }
    }
  }
}

/** The module list's entry. */
export const numMapModule = httpModule({
  name: 'http_num_map',
  doc: 'Variables that depend on numbers.',
  directives: {
    num_map: block({
      in: ['http'],
      args: head,
      opens: 'map',
      entry,
      doc: 'Makes a variable whose value depends on a number: the block lists numbers and ranges with what they stand for.',
    }),
  },
  init(conf, tree) {
    for (const one of conf.num_map) declare(one, tree)
  },
})

function declare({ args, entries, close }: BlockValue<Head, Line>, tree: HttpTree): void {
  if (tree.variables.isFixed(args.variable)) {
    tree.fail(`the duplicate "${args.variable}" variable`, close)
    return
  }
  const map = new NumMap(entries, tree)
  tree.variables.computed(args.variable, (r) => map.value(r), map.volatile)
  tree.afterAttach(() => map.compile(args.source, tree))
}

interface Range {
  readonly least: number
  readonly most: number
  readonly template: Template
  text: Text
}

class NumMap {
  readonly volatile: boolean
  readonly #single = new Map<number, Range>()
  readonly #ranges: Range[] = []
  readonly #default: Range
  #source: Getter = () => undefined

  constructor(entries: readonly Entry<Line>[], tree: HttpTree) {
    this.volatile = entries.some(({ value }) => value.kind === 'volatile')
    let absent: Template | undefined
    for (const { value: line, at } of entries) {
      if (line.kind === 'default') {
        if (absent !== undefined) tree.fail('duplicate default num_map parameter', at)
        absent = line.value
      } else if (line.kind === 'range') {
        const { least, most, value: template } = line
        const range = { least, most, template, text: () => '' }
        if (least !== most) this.#ranges.push(range)
        else if (this.#single.has(least)) tree.fail(`conflicting parameter "${least}"`, at)
        else this.#single.set(least, range)
      }
    }
    this.#default = { least: 0, most: 0, template: absent ?? literal(''), text: () => '' }
  }

  compile(source: string, tree: HttpTree): void {
    this.#source = tree.variable(source)
    for (const range of [this.#default, ...this.#single.values(), ...this.#ranges])
      range.text = tree.text(range.template)
  }

  value(r: Request): string {
    const number = parseNumber(this.#source(r) ?? '')
    return (number === undefined ? this.#default : this.#find(number)).text(r)
  }

  #find(number: number): Range {
    const single = this.#single.get(number)
    if (single !== undefined) return single
    for (const range of this.#ranges) if (number >= range.least && number <= range.most) return range
    return this.#default
  }
}
