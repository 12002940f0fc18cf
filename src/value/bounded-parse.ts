/**
 * The expressions that the translator writes (pcre-translate.ts), read into a tree: a small part of JavaScript's syntax,
 * without flags. What one character may be is asked of V8, so that a class cannot be understood in another way.
 */

/** A node of the tree. A set tells which bytes match. */
export type Node =
  | { readonly kind: 'set'; readonly set: Uint8Array }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly branches: readonly Node[] }
  | { readonly kind: 'group'; readonly number: number; readonly body: Node }
  | { readonly kind: 'look'; readonly ahead: boolean; readonly negated: boolean; readonly body: Node }
  /** `written`: by the author; the others belong to atomic groups. */
  | { readonly kind: 'again'; readonly groups: readonly number[]; readonly written: boolean }
  | { readonly kind: 'assert'; readonly what: '^' | '$' | '\\b' | '\\B' }
  | Repeat

/** A quantifier; `first` to before `last` are the groups inside. */
export interface Repeat {
  readonly kind: 'repeat'
  readonly body: Node
  readonly min: number
  readonly max: number
  readonly lazy: boolean
  readonly first: number
  readonly last: number
}

const CLASS = /\[(?:[^\]\\]|\\.)*\]/y
const CHARACTER = /\\x[\da-f]{2}|\\[\s\S]|[\s\S]/y
const QUANTIFIER = /([*+?]|\{(\d+)(,?)(\d*)\})(\??)/y
const GROUP = /\((\?:|\?=|\?!|\?<=|\?<!)?/y
const BACK_REFERENCE = /\\(\d+)/y
const BACK_REFERENCES = /\(\?:((?:\\\d+)+)\)/y
const ASSERTION = /\^|\$|\\b|\\B/y

/** Reads an expression; `groupCount` groups are in it. */
export function parseExpression(source: string): { readonly tree: Node; readonly groupCount: number } {
  const parser = new Parser(source)
  const tree = parser.choice()
  return { tree, groupCount: parser.groups }
}

const sets = new Map<string, Uint8Array>()

function setOf(text: string): Uint8Array {
  const known = sets.get(text)
  if (known !== undefined) return known
  const regexp = new RegExp(`^${text}$`)
  const set = new Uint8Array(256)
  for (let byte = 0; byte < 256; byte++) if (regexp.test(String.fromCharCode(byte))) set[byte] = 1
  sets.set(text, set)
  return set
}

class Parser {
  readonly #source: string
  #at = 0
  groups = 0

  constructor(source: string) {
    this.#source = source
  }

  #take(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at
    const found = sticky.exec(this.#source)
    if (found === null) return undefined
    this.#at += found[0].length
    return found
  }

  choice(): Node {
    const branches = [this.#sequence()]
    while (this.#source[this.#at] === '|') {
      this.#at++
      branches.push(this.#sequence())
    }
    return branches.length === 1 ? branches[0]! : { kind: 'choice', branches }
  }

  #sequence(): Node {
    const items: Node[] = []
    while (this.#at < this.#source.length && this.#source[this.#at] !== '|' && this.#source[this.#at] !== ')') {
      const first = this.groups + 1
      items.push(this.#quantified(this.#atom(), first))
    }
    return items.length === 1 ? items[0]! : { kind: 'sequence', items }
  }

  #quantified(body: Node, first: number): Node {
    const found = this.#take(QUANTIFIER)
    if (found === undefined) return body
    const [, sign, least, comma, most, lazy] = found
    const [min, max] =
      sign === '*'
        ? [0, Infinity]
        : sign === '+'
          ? [1, Infinity]
          : sign === '?'
            ? [0, 1]
            : counts(least!, comma!, most!)
    return { kind: 'repeat', body, min, max, lazy: lazy === '?', first, last: this.groups + 1 }
  }

  #atom(): Node {
    // Groups of one number: at most one of them has taken part.
    const several = this.#take(BACK_REFERENCES)
    if (several !== undefined) {
      return { kind: 'again', groups: several[1]!.slice(1).split('\\').map(Number), written: true }
    }
    const opening = this.#take(GROUP)
    if (opening !== undefined) return this.#group(opening[1])
    const assertion = this.#take(ASSERTION)
    if (assertion !== undefined) return { kind: 'assert', what: assertion[0] as '^' | '$' | '\\b' | '\\B' }
    const reference = this.#take(BACK_REFERENCE)
    if (reference !== undefined) return { kind: 'again', groups: [Number(reference[1])], written: false }
    const text = this.#take(CLASS) ?? this.#take(CHARACTER)
    return { kind: 'set', set: setOf(text![0]) }
  }

  #group(opening: string | undefined): Node {
    const number = opening === undefined ? ++this.groups : 0
    const body = this.choice()
    this.#at++
    if (opening === undefined) return { kind: 'group', number, body }
    if (opening === '?:') return body
    return { kind: 'look', ahead: !opening.includes('<'), negated: opening.endsWith('!'), body }
  }
}

function counts(least: string, comma: string, most: string): readonly [number, number] {
  const min = Number(least)
  return [min, most !== '' ? Number(most) : comma === '' ? min : Infinity]
}
