/**
 * Patterns that V8's linear engine does not take: lookarounds, back references, large counted repetitions. V8's other
 * engine is fast, but one line of a client could hold it for hours. So it gets such a pattern only for subjects whose
 * worst case is known to be small; for the others there is a matcher of our own that counts and gives up.
 */
import { BoundedMatcher, GAVE_UP, NO_MATCH } from './bounded-matcher.ts'
import { type Node, parseExpression } from './bounded-parse.ts'
import { compileProgram } from './bounded-program.ts'

/** How often the matcher may go back; about a tenth of a second. */
const BACKTRACKS_MAX = 500_000
/** Steps that V8 may need in the worst case: a millisecond or two. */
const STEPS_MAX = 1_000_000
const SETS_MAX = 64

/** What matching costs in the worst case: `factor * (length + 1) ** power`, and less where repetitions are counted. */
interface Cost {
  factor: number
  power: number
  /** How often each counted set may be repeated. */
  readonly counts: number[]
}

/** One such pattern. */
export class BoundedPattern {
  readonly #matcher: BoundedMatcher
  readonly #groupCount: number
  readonly #cost: Cost
  /** Where the last match begins. */
  start = -1

  /** `source` is what the translator has written. */
  constructor(source: string) {
    const { tree, groupCount } = parseExpression(source)
    const program = compileProgram(tree, groupCount)
    this.#groupCount = groupCount
    this.#matcher = new BoundedMatcher(program, true, BACKTRACKS_MAX)
    this.#cost = { factor: 1, power: program.anchored ? 0 : 1, counts: [] }
    addCost(tree, this.#cost)
  }

  /** V8 can be trusted with a subject of this length. */
  isCheap(length: number): boolean {
    const { factor, power, counts } = this.#cost
    let steps = factor * (length + 1) ** power
    for (let i = 0; i < counts.length; i++) steps *= Math.min(counts[i]!, length) + 1
    return steps <= STEPS_MAX
  }

  /** The groups of the first match; undefined: none; false: given up. */
  exec(subject: string): (string | undefined)[] | undefined | false {
    const matcher = this.#matcher
    const start = matcher.find(subject)
    if (start === GAVE_UP) return false
    if (start === NO_MATCH) return undefined
    this.start = start
    const groups: (string | undefined)[] = []
    for (let i = 0; i <= this.#groupCount; i++) groups.push(matcher.group(i))
    return groups
  }
}

/** Multiplies what the parts may cost: each way through one can be followed by each through the next. */
function addCost(node: Node, cost: Cost): void {
  switch (node.kind) {
    case 'sequence':
      for (const item of node.items) addCost(item, cost)
      break
    case 'choice':
      cost.factor *= node.branches.length
      for (const branch of node.branches) addCost(branch, cost)
      break
    case 'group':
    case 'look':
      addCost(node.body, cost)
      break
    case 'again':
      // What PCRE makes of a group that took no part is not what V8 makes of it.
      if (node.written) cost.factor = Infinity
      cost.power++
      break
    case 'repeat':
      if (node.body.kind !== 'set') {
        cost.factor = node.max > 1 ? Infinity : cost.factor * 2
        addCost(node.body, cost)
      } else if (node.max === Infinity) cost.power++
      else cost.counts.push(node.max)
      if (cost.counts.length > SETS_MAX) cost.factor = Infinity
  }
}
