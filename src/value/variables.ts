/**
 * The variables of one configuration tree: built-in ones with their getters, families by prefix (`http_`, `arg_`), and
 * those that the configuration makes (`set`, `map`, named captures), which live in numbered slots of the request.
 *
 * Names have no case, as in nginx. Generic in what a getter reads from (`R`), since http requests and stream sessions have a table each.
 */
import { bounded, isUnwinding } from './cycles.ts'
import type { Template } from './template.ts'

/** A variable's value; undefined is nginx's "not found". */
export type Getter<R> = (r: R) => string | undefined

/** The value of a compiled template; never undefined: an unknown value is the empty string. */
export type Text<R> = (r: R) => string

/** What `set` and named captures write to. */
export type Setter<R> = (r: R, value: string) => void

/** What variables are worth that have no value. */
export interface NoValue<R> {
  /** `set` makes it somewhere, and nothing was written to it. */
  uninitialized(r: R, name: string): string
  /** It is made of itself, and empty. */
  cyclic(r: R, name: string): void
}

/** A built-in variable that `set` may change. */
export interface Variable<R> {
  readonly get: Getter<R>
  /** For built-in variables that `set` may change (`$args`, `$limit_rate`). */
  readonly set?: Setter<R>
  /** `set` may give it another value, which hides the built-in one. */
  readonly changeable?: true
}

/** The built-in variables of a module by name. */
export type Variables<R> = Readonly<Record<string, Getter<R> | Variable<R>>>

/** The same variables, which `set`, `map` and their kin may hide. */
export function changeable<R>(variables: Readonly<Record<string, Getter<R>>>): Variables<R> {
  return Object.fromEntries(Object.entries(variables).map(([name, get]) => [name, { get, changeable: true as const }]))
}

/** Where slot variables live; requests and sessions have it. */
export interface HasSlots {
  /** One value per slot of the tree; undefined until it was set or computed. */
  readonly vars: (string | undefined)[]
  /** Captures of the last regular expression that matched. */
  captures: ArrayLike<string | undefined> | undefined
}

interface Definition<R> {
  get: Getter<R> | undefined
  set: Setter<R> | undefined
  /** A built-in variable that `set` must leave alone. */
  fixed?: boolean
  /** The slot of a variable that the configuration makes, or -1. */
  slot: number
}

/** A variable that the configuration makes. */
export interface MadeVariable {
  readonly name: string
  /** Reading it before it was written is worth a warning. */
  readonly warns: boolean
}

/** The names of one tree; filled while modules declare, read while they attach. */
export class VariableTable<R extends HasSlots> {
  readonly #names = new Map<string, Definition<R>>()
  readonly #prefixes: { readonly prefix: string; readonly make: (rest: string) => Getter<R> }[] = []
  readonly #made = new Map<string, MadeVariable>()
  readonly #noValue: NoValue<R>
  #slots = 0

  constructor(noValue: NoValue<R> = { uninitialized: () => '', cyclic: () => {} }) {
    this.#noValue = noValue
  }

  /** The variables that the configuration makes, in the order in which they were first named. */
  get made(): readonly MadeVariable[] {
    return [...this.#made.values()]
  }

  /** How many slots a request of this tree needs. */
  get slotCount(): number {
    return this.#slots
  }

  /** Adds the built-in variables of a module. */
  builtin(variables: Variables<R>): void {
    for (const [name, variable] of Object.entries(variables)) {
      const { get, set, changeable } = typeof variable === 'function' ? { get: variable } : variable
      this.#names.set(name, { get, set, slot: -1, fixed: set === undefined && changeable !== true })
    }
  }

  /** Adds a family of variables: `make` gets what follows the prefix. */
  prefix(prefix: string, make: (rest: string) => Getter<R>): void {
    this.#prefixes.push({ prefix, make })
  }

  /** Tells whether a name is that of a built-in variable which no directive may set. */
  isFixed(text: string): boolean {
    return this.#names.get(text.toLowerCase())?.fixed === true
  }

  /** Makes (or finds) a variable that the configuration sets; returns how to write it. */
  settable(text: string, warns = false): Setter<R> {
    const name = text.toLowerCase()
    const known = this.#names.get(name)
    if (known?.set !== undefined) return known.set
    if (known !== undefined && known.slot >= 0) return slotSetter(known.slot)
    const slot = this.#slots++
    this.#made.set(name, { name, warns })
    const unset = warns ? (r: R) => this.#noValue.uninitialized(r, text) : undefined
    // `set` may hide a built-in getter only where nginx allows it; until the slot is written the old value shows.
    const before = known?.get ?? this.#family(name) ?? unset
    const get: Getter<R> = before === undefined ? (r) => r.vars[slot] : (r) => r.vars[slot] ?? before(r)
    this.#names.set(name, { get, set: undefined, slot })
    return slotSetter(slot)
  }

  /** The slot behind a variable that named captures write. */
  slotOf(text: string): number {
    const name = text.toLowerCase()
    const known = this.#names.get(name)
    if (known !== undefined && known.slot >= 0) return known.slot
    this.settable(name)
    return this.#names.get(name)!.slot
  }

  /** Makes a variable that is computed once per request, when first asked for (`map`, `geo`); `volatile`: every time. */
  computed(text: string, made: Getter<R>, volatile: boolean): void {
    const name = text.toLowerCase()
    const compute = bounded(made, (r) => this.#noValue.cyclic(r, text))
    if (volatile) {
      this.#names.set(name, { get: compute, set: undefined, slot: -1 })
      return
    }
    const known = this.#names.get(name)?.slot ?? -1
    const slot = known >= 0 ? known : this.#slots++
    const get: Getter<R> = (r) => {
      const value = r.vars[slot]
      if (value !== undefined) return value
      const fresh = compute(r)
      if (!isUnwinding()) r.vars[slot] = fresh
      return fresh
    }
    this.#names.set(name, { get, set: undefined, slot })
  }

  has(name: string): boolean {
    return this.find(name) !== undefined
  }

  /** The getter of a variable, or undefined: nginx's `unknown "x" variable`. */
  find(text: string): Getter<R> | undefined {
    const name = text.toLowerCase()
    const known = this.#names.get(name)?.get
    if (known !== undefined) return known
    const get = this.#family(name)
    if (get !== undefined) this.#names.set(name, { get, set: undefined, slot: -1 })
    return get
  }

  #family(name: string): Getter<R> | undefined {
    const family = this.#prefixes.find((p) => name.startsWith(p.prefix))
    return family?.make(name.slice(family.prefix.length))
  }

  /** Every name that can be listed, for completion and suggestions. */
  names(): string[] {
    return [...this.#names.keys()]
  }
}

function slotSetter<R extends HasSlots>(slot: number): Setter<R> {
  return (r, value) => {
    r.vars[slot] = value
  }
}

/** Compiles `template`; `unknown` is told the name of a variable that does not exist. */
export function compileTemplate<R extends HasSlots>(
  template: Template,
  table: VariableTable<R>,
  unknown: (name: string) => void,
): (r: R) => string {
  const { constant } = template
  if (constant !== undefined) return () => constant
  const parts = template.parts.map((part): string | Getter<R> => {
    if (typeof part === 'string') return part
    if ('capture' in part) return captureGetter(part.capture)
    const getter = table.find(part.variable)
    if (getter === undefined) unknown(part.variable)
    return getter ?? (() => undefined)
  })
  const [only] = parts
  if (parts.length === 1 && typeof only === 'function') return (r) => only(r) ?? ''
  return (r) => {
    let text = ''
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]!
      text += typeof part === 'string' ? part : (part(r) ?? '')
    }
    return text
  }
}

function captureGetter<R extends HasSlots>(index: number): Getter<R> {
  return (r) => r.captures?.[index]
}
