/**
 * The fields of one message head, whatever protocol carried it. Most fields are positions in `text`, the head as one
 * latin1 string; fields made by the server itself are kept as strings beside it. One table is reused for many messages.
 *
 *   cells   | hash | name start | name end | value start | value end | line end | flags | number |   one row of 8 per field
 *   start >= 0: a position in `text`;  start < 0: the string number -1 - start in `#strings`
 *
 * A hidden field keeps its row (indices stay valid) but no lookup finds it.
 */
import { hashName, numberOf } from './field-names.ts'
import { FOLD } from './tokens.ts'

const NAME_START = 1
const NAME_END = 2
const VALUE_START = 3
const VALUE_END = 4
const LINE_END = 5
const FLAGS = 6
const NUMBER = 7
const ROW_SHIFT = 3
const FIELDS_FIRST = 16

const CANONICAL = 1
const HIDDEN = 2

/** Holds the fields of a request or a response; see the file comment for the layout. */
export class HeaderTable {
  /** The head as latin1; every position in the table counts from its start. Set by the parser when the head is complete. */
  text = ''
  /** The number of fields, hidden ones included: indices are `0 .. count - 1`. */
  count = 0
  #cells = new Int32Array(FIELDS_FIRST << ROW_SHIFT)
  readonly #strings: string[] = []
  /** One bit per hash (its last five bits) of the fields added: most lookups are for fields that are not there. */
  #present = 0

  /** Forgets all fields and the text. */
  reset(): void {
    this.text = ''
    this.count = 0
    this.#present = 0
    if (this.#strings.length !== 0) this.#strings.length = 0
  }

  /**
   * Adds a field of `text`: hash of the lower-case name (see `hashName`), name and value positions, the position after
   * the line's end, whether the line is exactly `Name: value\r\n`, and the number of the name (`field-names.ts`). `text` may
   * be set later.
   */
  add(
    hash: number,
    ns: number,
    ne: number,
    vs: number,
    ve: number,
    lineEnd: number,
    canonical: boolean,
    number: number,
  ): number {
    const index = this.count++
    const at = index << ROW_SHIFT
    if (at === this.#cells.length) this.#grow()
    const cells = this.#cells
    cells[at] = hash
    this.#present |= 1 << hash
    cells[at + NAME_START] = ns
    cells[at + NAME_END] = ne
    cells[at + VALUE_START] = vs
    cells[at + VALUE_END] = ve
    cells[at + LINE_END] = lineEnd
    cells[at + FLAGS] = canonical ? CANONICAL : 0
    cells[at + NUMBER] = number
    return index
  }

  /** Adds a field that does not stand in `text`; returns its index. */
  addString(name: string, value: string): number {
    return this.addDecoded(name, hashName(name), value)
  }

  /** The same for a name whose `hashName` is known. */
  addDecoded(name: string, hash: number, value: string): number {
    const ns = -this.#strings.push(name)
    const vs = -this.#strings.push(value)
    return this.add(hash, ns, name.length, vs, value.length, -1, false, numberOf(hash, name))
  }

  /** Replaces the value of field `index`; its line can no longer be copied from `text`. */
  setValue(index: number, value: string): void {
    const at = index << ROW_SHIFT
    this.#cells[at + VALUE_START] = -this.#strings.push(value)
    this.#cells[at + VALUE_END] = value.length
    this.#cells[at + FLAGS] = this.#cells[at + FLAGS]! & ~CANONICAL
  }

  /** Hides field `index` from every lookup; it keeps its index. */
  remove(index: number): void {
    this.#cells[(index << ROW_SHIFT) + FLAGS]! |= HIDDEN
  }

  /** Hides every field of that name; `name` is in lower case. */
  removeAll(hash: number, name: string): void {
    for (let i = this.find(hash, name); i >= 0; i = this.find(hash, name, i + 1)) this.remove(i)
  }

  /** Tells whether field `index` was removed. */
  hidden(index: number): boolean {
    return (this.#cells[(index << ROW_SHIFT) + FLAGS]! & HIDDEN) !== 0
  }

  /** Tells whether the field stands in `text` as exactly `Name: value\r\n` and was not changed or removed. */
  canonical(index: number): boolean {
    return (this.#cells[(index << ROW_SHIFT) + FLAGS]! & (CANONICAL | HIDDEN)) === CANONICAL
  }

  /** Gives the position in `text` where the field's line begins (negative for a field added as strings). */
  lineStart(index: number): number {
    return this.#cells[(index << ROW_SHIFT) + NAME_START]!
  }

  /** Gives the position in `text` after the field's line; equal to the next field's `lineStart` when the two are adjacent. */
  lineEnd(index: number): number {
    return this.#cells[(index << ROW_SHIFT) + LINE_END]!
  }

  /** Gives the hash of the field's lower-case name. */
  hash(index: number): number {
    return this.#cells[index << ROW_SHIFT]!
  }

  /** Gives the number of the field's name (`field-names.ts`); 0 when nobody asks for that name. */
  number(index: number): number {
    return this.#cells[(index << ROW_SHIFT) + NUMBER]!
  }

  /** Finds the first field at or after `from` whose name is `name` (in lower case, `hash` its `hashName`); -1 when none. */
  find(hash: number, name: string, from = 0): number {
    if ((this.#present & (1 << hash)) === 0) return -1
    const cells = this.#cells
    for (let i = from; i < this.count; i++) {
      const at = i << ROW_SHIFT
      if (cells[at] === hash && (cells[at + FLAGS]! & HIDDEN) === 0 && this.nameIs(i, name)) return i
    }
    return -1
  }

  /** Compares the field's name with `name` (in lower case) without regard to case. */
  nameIs(index: number, name: string): boolean {
    const at = index << ROW_SHIFT
    let start = this.#cells[at + NAME_START]!
    if (this.#cells[at + NAME_END]! - Math.max(start, 0) !== name.length) return false
    let text = this.text
    if (start < 0) {
      text = this.#strings[-1 - start]!
      start = 0
    }
    for (let i = 0; i < name.length; i++) {
      if (FOLD[text.charCodeAt(start + i)] !== name.charCodeAt(i)) return false
    }
    return true
  }

  /** Compares the field's value with `value` (in lower case) without regard to case. */
  valueIs(index: number, value: string): boolean {
    const start = this.valueStart(index)
    if (start < 0) return lowerAscii(this.value(index)) === value
    if (this.valueEnd(index) - start !== value.length) return false
    for (let i = 0; i < value.length; i++) {
      if (FOLD[this.text.charCodeAt(start + i)] !== value.charCodeAt(i)) return false
    }
    return true
  }

  /** Gives the value's start in `text`, or a negative number when it is a string of its own. */
  valueStart(index: number): number {
    return this.#cells[(index << ROW_SHIFT) + VALUE_START]!
  }

  /** Gives the value's end in `text`, or its length when it is a string of its own. */
  valueEnd(index: number): number {
    return this.#cells[(index << ROW_SHIFT) + VALUE_END]!
  }

  /** Gives the name as it was written. */
  name(index: number): string {
    const at = index << ROW_SHIFT
    const start = this.#cells[at + NAME_START]!
    return start < 0 ? this.#strings[-1 - start]! : this.text.slice(start, this.#cells[at + NAME_END]!)
  }

  /** Gives the name in lower case. */
  lowerName(index: number): string {
    return lowerAscii(this.name(index))
  }

  /** Gives the value, without the spaces around it. */
  value(index: number): string {
    const at = index << ROW_SHIFT
    const start = this.#cells[at + VALUE_START]!
    return start < 0 ? this.#strings[-1 - start]! : this.text.slice(start, this.#cells[at + VALUE_END]!)
  }

  /** The same, but `known` itself where the value is just that: nothing is made, and comparing the two costs nothing. */
  valueLike(index: number, known: string): string {
    const at = index << ROW_SHIFT
    const start = this.#cells[at + VALUE_START]!
    const same = start >= 0 && this.#cells[at + VALUE_END]! - start === known.length
    return same && this.text.startsWith(known, start) ? known : this.value(index)
  }

  /** Gives the value of the first field of that name, or undefined. */
  valueOf(hash: number, name: string): string | undefined {
    const index = this.find(hash, name)
    return index < 0 ? undefined : this.value(index)
  }

  /** Gives the values of all fields of that name, joined; undefined when there is none. */
  joined(hash: number, name: string, separator: string): string | undefined {
    let index = this.find(hash, name)
    if (index < 0) return undefined
    let values = this.value(index)
    while ((index = this.find(hash, name, index + 1)) >= 0) values += separator + this.value(index)
    return values
  }

  /** Gives the values of all fields of that name, in order. */
  values(hash: number, name: string): string[] {
    const values: string[] = []
    for (let i = this.find(hash, name); i >= 0; i = this.find(hash, name, i + 1)) values.push(this.value(i))
    return values
  }

  /**
   * Finds the first field at or after `from` that a variable such as `$http_x_y` means: `name` is in lower case with
   * `_` for `-`, and a field written with either matches (nginx's ngx_http_variable_unknown_header).
   */
  findVariable(name: string, from = 0): number {
    for (let i = from; i < this.count; i++) {
      if (!this.hidden(i) && this.#variableIs(i, name)) return i
    }
    return -1
  }

  #variableIs(index: number, name: string): boolean {
    const at = index << ROW_SHIFT
    let start = this.#cells[at + NAME_START]!
    if (this.#cells[at + NAME_END]! - Math.max(start, 0) !== name.length) return false
    let text = this.text
    if (start < 0) {
      text = this.#strings[-1 - start]!
      start = 0
    }
    for (let i = 0; i < name.length; i++) {
      const byte = FOLD[text.charCodeAt(start + i)]
      if ((byte === 0x2d ? 0x5f : byte) !== name.charCodeAt(i)) return false
    }
    return true
  }

  #grow(): void {
    const cells = new Int32Array(this.#cells.length * 2)
    cells.set(this.#cells)
    this.#cells = cells
  }
}

/** Lowers `A-Z` only: bytes above 0x7f are not letters here, and String's own method would change them. */
function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, lowerRun)
}

function lowerRun(run: string): string {
  return run.toLowerCase()
}
