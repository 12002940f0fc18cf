/**
 * The JavaScript expression under construction: text, and groups that get their numbers only when it is written, because
 * an atomic group adds one of ours in front of groups that are there already.
 */

/** A capturing group: the author's number, or 0 for one that an atomic group needs. */
interface Group {
  readonly author: number
  number: number
}

/** A back reference by number or name, with its place in the pattern and the number of groups opened before it. */
interface Reference {
  readonly target: number | string
  readonly at: number
  readonly opened: number
}

type Part = string | { readonly open: Group } | { readonly again: Group } | { readonly reference: Reference }

/** What `write` returns. */
export interface Written {
  readonly source: string
  /** The author's number of each group, 0 for ours; undefined when every group is the author's, in order. */
  readonly authorNumbers: readonly number[] | undefined
  /** Place of a reference to a group that does not exist. */
  readonly dangling: number | undefined
}

export class Output {
  readonly #parts: Part[] = []
  readonly #groups: Group[] = []

  /** Number of parts: remember it to wrap what is added after. */
  get length(): number {
    return this.#parts.length
  }

  push(text: string): void {
    this.#parts.push(text)
  }

  /** Takes the last part back. */
  pop(): void {
    this.#parts.pop()
  }

  /** Opens the author's group of that number. */
  open(author: number): void {
    const group: Group = { author, number: 0 }
    this.#groups.push(group)
    this.#parts.push({ open: group })
  }

  refer(target: number | string, at: number): void {
    this.#parts.push({ reference: { target, at, opened: this.#groups.length } })
  }

  /** Puts the parts from `at` on into a group, for what JavaScript does not repeat as it stands. */
  wrap(at: number): void {
    this.#parts.splice(at, 0, '(?:')
    this.#parts.push(')')
  }

  /** Turns the parts from `at` on into `(?=(...))\N`: a lookahead is not entered again once it has matched. */
  makeAtomic(at: number): void {
    const group: Group = { author: 0, number: 0 }
    this.#groups.push(group)
    this.#parts.splice(at, 0, '(?:(?=', { open: group })
    this.#parts.push('))', { again: group }, ')')
  }

  /** Numbers the groups in the order in which they open, and writes the expression. */
  write(names: readonly string[]): Written {
    const author = [0]
    for (const part of this.#parts) {
      if (typeof part === 'string' || !('open' in part)) continue
      part.open.number = author.length
      author.push(part.open.author)
    }
    let source = ''
    let dangling: number | undefined
    for (const part of this.#parts) {
      if (typeof part === 'string') source += part
      else if ('open' in part) source += '('
      else if ('again' in part) source += '\\' + part.again.number
      else {
        const text = this.#writeReference(part.reference, names)
        if (text === undefined) dangling ??= part.reference.at
        else source += text
      }
    }
    const same = author.every((number, index) => number === index)
    return { source, authorNumbers: same ? undefined : author, dangling }
  }

  /** Enclosed, so that a digit that follows is not read as a part of the number. */
  #writeReference({ target, opened }: Reference, names: readonly string[]): string | undefined {
    const number = typeof target === 'number' ? target : names.indexOf(target)
    const groups = this.#groups.filter((group) => number > 0 && group.author === number)
    if (groups.length === 0) return undefined
    // A reference to a group that opens later cannot match; in JavaScript it would match nothing.
    const before = groups.filter((group) => this.#groups.indexOf(group) < opened)
    return before.length === 0 ? '[]' : `(?:${before.map((group) => '\\' + group.number).join('')})`
  }
}
