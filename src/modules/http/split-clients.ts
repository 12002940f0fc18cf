/** ngx_http_split_clients_module: a variable whose values are spread over clients by the hash of a text. */
import { type Args, type BlockValue, block } from '../../config/directive.ts'
import { parseFixedPoint } from '../../config/units.ts'
import type { HttpTree } from '../../http/compile/module.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { murmurHash2 } from '../../lib/murmur.ts'
import { type DerivedVariable, derivedVariable } from '../../value/variable-name.ts'

/** Percentages are counted in hundredths of a percent. */
const WHOLE = 10_000
const HASH_MAX = 0xffffffff

/** `share` is 0 for `*`: all the rest. */
interface Part {
  readonly share: number
  readonly value: string
}

const entry: Args<Part> = {
  syntax: 'percentage value',
  min: 2,
  // nginx passes over what follows.
  max: Number.POSITIVE_INFINITY,
  read([percent, value], at) {
    const { text } = percent!
    const share = text === '*' ? 0 : text.endsWith('%') ? parseFixedPoint(text.slice(0, -1), 2) : undefined
    if (share === undefined || (share === 0 && text !== '*')) at.fail(`invalid percent value "${text}"`, percent)
    return { share: share ?? 0, value: value!.text }
  },
}

const directives = {
  split_clients: block({
    in: ['http'],
    args: derivedVariable,
    opens: 'split_clients',
    entry,
    doc: 'Makes a variable for A/B tests: each line gives a share of the clients a value, `*` the rest.',
  }),
}

/** The module list's entry. */
export const splitClientsModule = httpModule({
  name: 'http_split_clients',
  doc: 'Variables for A/B tests.',
  directives,
  init(conf, tree) {
    for (const split of conf.split_clients) declareSplit(split, tree)
  },
})

function declareSplit({ args, entries, close }: BlockValue<DerivedVariable, Part>, tree: HttpTree): void {
  if (tree.variables.isFixed(args.variable)) {
    tree.fail(`the duplicate "${args.variable}" variable`, close)
    return
  }
  const split = new Split()
  if (!split.fill(entries.map(({ value }) => value))) tree.fail('percent total is greater than 100%', close)
  tree.variables.computed(args.variable, (r) => split.value(r), false)
  tree.afterAttach(() => {
    split.source = tree.text(args.source)
  })
}

class Split {
  source: Text = () => ''
  readonly #limits: number[] = []
  readonly #values: string[] = []

  /** Takes the parts; false when they are more than a whole. */
  fill(parts: readonly Part[]): boolean {
    let sum = 0
    let limit = 0
    for (const { share, value } of parts) {
      sum = share === 0 ? WHOLE : sum + share
      if (sum > WHOLE) return false
      // Whole numbers as in nginx, so that a client gets the same value from both.
      if (sum < WHOLE) limit += Math.floor((share * HASH_MAX) / WHOLE)
      this.#limits.push(sum === WHOLE ? Number.POSITIVE_INFINITY : limit)
      this.#values.push(value)
    }
    return true
  }

  value(r: Request): string {
    const hash = murmurHash2(this.source(r))
    for (let i = 0; i < this.#limits.length; i++) if (hash < this.#limits[i]!) return this.#values[i]!
    return ''
  }
}
