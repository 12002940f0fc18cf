/** The module `viaduct/config`: its text for programs that run a configuration, and its types for editors. */
import type { Context, Directive } from '../../config/directive.ts'
import type { ConfigModule } from '../../config/load.ts'

interface Known {
  readonly name: string
  readonly directives: readonly Directive<unknown>[]
}

/** Names that JavaScript keeps for itself get a line behind them. */
const RESERVED: ReadonlySet<string> = new Set([
  'break',
  'if',
  'return',
  'default',
  'in',
  'new',
  'var',
  'export',
  'import',
])

function known(modules: readonly ConfigModule[]): readonly Known[] {
  const byName = new Map<string, Directive<unknown>[]>([['include', []]])
  for (const { directives } of modules) {
    for (const [name, directive] of Object.entries(directives))
      byName.set(name, [...(byName.get(name) ?? []), directive])
  }
  return [...byName].map(([name, directives]) => ({ name, directives })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function identifier(name: string): string {
  const text = name.replaceAll('-', '_')
  return RESERVED.has(text) ? `${text}_` : text
}

/** The module's text; `builder` is the URL of what makes statements. */
export function librarySource(modules: readonly ConfigModule[], builder: string): string {
  const lines = known(modules).map(({ name, directives }) => {
    const blocks = directives.filter(({ kind }) => kind === 'block').length
    const opens = blocks === 0 ? 'never' : blocks === directives.length ? 'always' : 'maybe'
    return `export const ${identifier(name)} = make(${JSON.stringify(name)}, '${opens}')`
  })
  return [`import { entry, make } from ${JSON.stringify(builder)}`, 'export { entry }', ...lines, ''].join('\n')
}

/** The declarations that editors read. */
export function libraryTypes(modules: readonly ConfigModule[]): string {
  const lines = known(modules).flatMap(({ name, directives }) => {
    const doc = directives[0]?.doc.replaceAll('*/', '* /') ?? 'Reads another file at this place.'
    const forms =
      directives.length === 0
        ? [`export function include(file: Word): Statement<string>`]
        : directives.map((one) => formOf(name, one))
    return [`/** ${doc} */`, ...new Set(forms)]
  })
  return `${HEAD}${lines.join('\n')}\n`
}

const HEAD = `/** Typed configuration of Viaduct: each directive is a function, and the compiler knows where it may stand. */
export type Word = string | number | boolean
type None = undefined | null
declare const place: unique symbol
/** A statement that may stand in the contexts \`C\`. */
export interface Statement<C extends string> { readonly [place]: (context: C) => void }
type Inner<C extends string> = Statement<C> | None | readonly Inner<C>[]
/** A line of a block that has no directives: of \`map\`, \`geo\`, \`types\` ... */
export function entry(first: Word, ...rest: readonly Word[]): Statement<'entry'>
`

function formOf(name: string, { in: contexts, args, opens, kind, entry }: Directive<unknown>): string {
  const own = contexts.map((context: Context) => `'${context}'`).join(' | ')
  const words = wordsOf(args.syntax, args.min, args.max)
  if (kind !== 'block') return `export function ${identifier(name)}(${words}): Statement<${own}>`
  const inner = entry !== undefined ? "'entry'" : `'${opens}'`
  const list = words === '' ? `...inner: readonly Inner<${inner}>[]` : `...parts: readonly (Word | Inner<${inner}>)[]`
  return `export function ${identifier(name)}(${list}): Statement<${own}>`
}

/** Parameters by the syntax: `on | off` are these words, others any, as many as there may be. */
function wordsOf(syntax: string, min: number, max: number): string {
  if (max === 0) return ''
  const choices = syntax.split(' | ')
  if (max === 1 && choices.every((choice) => /^[a-z0-9_.-]+$/i.test(choice)) && choices.length > 1) {
    const flag = syntax === 'on | off' ? ' | boolean' : ''
    return `value: ${choices.map((choice) => `'${choice}'`).join(' | ')}${flag}`
  }
  const fixed = Array.from({ length: Math.min(min, max) }, (_, i) => `word${i + 1}: Word`)
  const rest = max > min ? [`...more: readonly Word[]`] : []
  return [...fixed, ...rest].join(', ')
}

/** The same for a folder in which the package is not installed. */
export function ambientTypes(modules: readonly ConfigModule[]): string {
  const inner = libraryTypes(modules).replaceAll(/^(export )?declare /gm, '$1')
  return `declare module 'viaduct/config' {\n${inner}}\n`
}
