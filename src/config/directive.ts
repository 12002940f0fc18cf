/**
 * The schema language: a directive is a value, and the type of its setting is inferred from it.
 *
 * One declaration serves parsing, validation, defaults, inheritance, reference pages, completion, lint and `explain`.
 * A module lists its directives as one object literal; `ConfOf` turns that object's type into the settings type.
 */
import type { Position, Word } from './source.ts'

/**
 * A place where directives may stand. `if` is "if in location", `server_if` is "if in server"; free-form blocks
 * (`types`, `map`, `geo` ...) are contexts whose lines are entries and not directives.
 */
export type Context =
  | 'main'
  | 'events'
  | 'http'
  | 'server'
  | 'server_if'
  | 'location'
  | 'if'
  | 'limit_except'
  | 'upstream'
  | 'types'
  | 'map'
  | 'geo'
  | 'geoip2'
  | 'split_clients'
  | 'charset_map'
  | 'match'
  | 'stream'
  | 'stream_server'
  | 'stream_upstream'
  | 'stream_match'
  | 'stream_map'
  | 'stream_geo'
  | 'stream_split_clients'
  | 'mail'
  | 'mail_server'
  | 'mgmt'
  | 'acme_issuer'
  | 'oidc_provider'
  | 'otel_exporter'

/** What a reader may ask of the place it reads in, and how it reports; it never throws past one directive. */
export interface ReadContext {
  readonly directive: Word
  /** Where the statement ends, for what is found wrong with it later: nginx tells that line. */
  readonly end: Position
  readonly context: Context
  /** Folder of the main configuration file: nginx's conf prefix. */
  readonly confPrefix: string
  /** The `-p` prefix. */
  readonly prefix: string
  /** Ends the reading of this directive with nginx's message; ` in FILE:LINE` is appended by the reporter. */
  fail(message: string, at?: Position, hint?: string): never
  warn(message: string, at?: Position): void
  /** The words name a variable, which must exist in the end. */
  uses?(variable: string): void
}

/** How the words after a directive's name become one typed value. */
export interface Args<T> {
  /** As nginx's documentation writes it, for reference pages: `on | off`, `zone=name [burst=number]`. */
  readonly syntax: string
  /** Number of words accepted; outside of it nginx's "invalid number of arguments" is reported. */
  readonly min: number
  readonly max: number
  read(words: readonly Word[], at: ReadContext): T
  /** Present when giving the directive twice in a block adds to its value instead of being a duplicate (nginx's bit masks). */
  merge?(earlier: T, later: T, at: ReadContext): T
  /** Present when a directive that may repeat has something to say of its value beside those before it in the block. */
  joins?(earlier: readonly T[], value: T, at: ReadContext): void
}

/**
 * How a block gets a value that it does not set: from the enclosing block (`inherit`), only through pseudo-blocks
 * (`if in location`, `limit_except`: nginx's handlers such as `proxy_pass`), or never.
 */
export type Inheritance = 'inherit' | 'pseudo' | 'never'

/**
 * When a worker reads it, which takes over a checked configuration: a `late` block when it is first used, without its
 * `head` directives, and not such a block that has an `eager` directive, which does something without being asked.
 */
type Reading = 'late' | 'head' | 'eager'

interface Spec<T> {
  readonly in: readonly Context[]
  readonly args: Args<T>
  readonly doc: string
  readonly since?: string
  readonly inheritance?: Inheritance
  /** Another text than `"x" directive is duplicate` when given twice, or false: the last one wins. */
  readonly duplicate?: string | false
  /** For `directives`: true for a value that may stand in a block only by itself, such as `off`. */
  readonly alone?: (value: T) => boolean
  /** Set when the directive is parsed and has no effect, with the reason: it goes on the published list. */
  readonly withoutEffect?: string
  /** Set when its use is refused with "not supported yet by Viaduct". */
  readonly unsupported?: string
  readonly reading?: Reading
}

/** A declared directive; made only by `directive`, `directives` and `block`. */
export interface Directive<T> {
  readonly kind: 'one' | 'many' | 'block'
  readonly in: readonly Context[]
  readonly args: Args<unknown>
  readonly doc: string
  readonly since: string | undefined
  readonly default: string | undefined
  readonly inheritance: Inheritance
  readonly duplicate: string | false | undefined
  readonly alone: ((value: unknown) => boolean) | undefined
  readonly withoutEffect: string | undefined
  readonly unsupported: string | undefined
  readonly reading: Reading | undefined
  /** The context that its block opens. */
  readonly opens: Context | undefined
  /** For free-form blocks: how a line of the block is read (name and arguments together). */
  readonly entry: Args<unknown> | undefined
  /** Phantom: carries the value type to `ConfOf`. */
  readonly value?: T
}

/** The directives of a module by name. */
export type Directives = Readonly<Record<string, Directive<unknown>>>

/** The settings that a module receives: one property per directive, under its nginx name. */
export type ConfOf<D extends Directives> = { readonly [K in keyof D]: D[K] extends Directive<infer T> ? T : never }

const plain = { opens: undefined, entry: undefined }

function common<T>(spec: Spec<T>) {
  return {
    in: spec.in,
    args: spec.args,
    doc: spec.doc,
    since: spec.since,
    duplicate: spec.duplicate,
    alone: spec.alone as ((value: unknown) => boolean) | undefined, // it is asked about values of its own reader
    withoutEffect: spec.withoutEffect,
    unsupported: spec.unsupported,
    reading: spec.reading,
  }
}

/** Declares a directive that stands at most once in a block. Its default is nginx's own text, read by the same reader. */
export function directive<T>(spec: Spec<T> & { readonly default: string }): Directive<T>
export function directive<T>(spec: Spec<T>): Directive<T | undefined>
export function directive<T>(spec: Spec<T> & { readonly default?: string }): Directive<T | undefined> {
  const { inheritance = 'inherit' } = spec
  return { ...common(spec), ...plain, kind: 'one', default: spec.default, inheritance }
}

/** Declares a directive that may repeat; the list is inherited only by a block that has none of its own. */
export function directives<T>(spec: Spec<T>): Directive<readonly T[]> {
  const { inheritance = 'inherit' } = spec
  return { ...common(spec), ...plain, kind: 'many', default: undefined, inheritance }
}

/** One line of a free-form block, read. */
export interface Entry<E> {
  readonly value: E
  readonly at: Position
}

/** A block as its module sees it: the words before `{`, and either a scope of directives or the entries. */
export interface BlockValue<T, E = never> {
  readonly args: T
  readonly scope: ScopeView
  readonly entries: readonly Entry<E>[]
  /** Lets go of the entries, of which there may be very many; nobody asks for them again. */
  drop(): void
  /** Where its `{` stands: nginx reports errors about the arguments here. */
  readonly at: Position
  /** Where its `}` stands: nginx reports errors about the contents here. */
  readonly close: Position
}

/** The part of `Scope` that modules use: the settings of one block for one set of directives. */
export interface ScopeView {
  readonly context: Context
  readonly at: Position
  /** Settings after inheritance; the same object for the same declarations. */
  resolve<D extends Directives>(directives: D): ConfOf<D>
  /** Settings of this block alone, without inheritance or defaults. */
  own<D extends Directives>(directives: D): Partial<ConfOf<D>>
  /** This block's own values of `directives`, blocks included, in file order: for modules whose directives are a program. */
  ordered<D extends Directives>(directives: D): readonly OrderedValue<D>[]
  /** What is known of a block that waits for its first use; the block itself when it does not. */
  readonly head: ScopeView
  /** Where a directive was given in this block itself, if it was. */
  positionOf(directive: Directive<unknown>): Position | undefined
}

/** One directive of a block in file order: its name tells the type of its value. */
export type OrderedValue<D extends Directives> = {
  readonly [K in keyof D & string]: { readonly name: K; readonly value: Element<D[K]>; readonly at: Position }
}[keyof D & string]
type Element<X> = X extends Directive<infer T> ? (T extends readonly (infer E)[] ? E : T) : never

/** Declares a directive that opens a block; blocks are never inherited. */
export function block<T, E = never>(
  spec: Spec<T> & { readonly opens: Context; readonly entry?: Args<E> },
): Directive<readonly BlockValue<T, E>[]> {
  return {
    ...common(spec),
    kind: 'block',
    default: undefined,
    inheritance: 'never',
    opens: spec.opens,
    entry: spec.entry,
  }
}

/** The same directives under another module's prefix: `proxy_`, `fastcgi_`, `grpc_` ... */
export function family<P extends string, D extends Directives>(
  prefix: P,
  base: D,
): { readonly [K in keyof D & string as `${P}_${K}`]: D[K] } {
  return Object.fromEntries(Object.entries(base).map(([name, d]) => [`${prefix}_${name}`, { ...d }])) as never
}
