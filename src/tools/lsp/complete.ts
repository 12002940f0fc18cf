/** What may be written at a place: directives of the block, parameters of the directive, names of the configuration. */
import { modules } from '../../modules/index.ts'
import { registry } from '../model/model.ts'
import type { Place } from './place.ts'
import type { Occurrence, SymbolKind } from './symbols.ts'

/** A proposal. */
export interface Proposal {
  readonly label: string
  readonly kind: 'directive' | 'value' | 'variable' | 'name'
  readonly detail?: string
  readonly documentation?: string
  /** With `$1` and so on for what is still to be written. */
  readonly snippet?: string
}

/** Variables that there are without being made, by name. */
export const BUILT_IN: ReadonlyMap<string, string> = new Map(
  modules.flatMap((module) => {
    const { variables = {}, prefixes = {} } = module as { variables?: object; prefixes?: object }
    return [...Object.keys(variables), ...Object.keys(prefixes).map((prefix) => `${prefix}…`)].map(
      (name) => [name, module.name] as const,
    )
  }),
)

/** Lists the proposals; who asks filters them by what is written already. */
export function proposals({ context, before, word }: Place, names: readonly Occurrence[]): Proposal[] {
  const [name] = before
  if (name === undefined) return context === undefined ? [] : directivesIn(context)
  const dollar = word.lastIndexOf('$')
  if (dollar >= 0 && /^\$\{?\w*$/.test(word.slice(dollar))) return variables(names)
  return [...named(name, before, word, names), ...values(name, context)]
}

function directivesIn(context: NonNullable<Place['context']>): Proposal[] {
  return registry.namesIn(context).flatMap((name) => {
    const declared = registry.find(name, context)
    if (declared === undefined || declared.unsupported !== undefined) return []
    const { syntax, min } = declared.args
    const words = min === 0 ? name : `${name} \${1}`
    const snippet = declared.kind === 'block' ? `${words} {\n\t$0\n}` : `${words};`
    return [
      {
        label: name,
        kind: 'directive',
        detail: `${name} ${syntax}`.trimEnd(),
        documentation: declared.doc,
        snippet,
      } as const,
    ]
  })
}

function variables(names: readonly Occurrence[]): Proposal[] {
  const made = new Set(names.filter(({ kind, defines }) => kind === 'variable' && defines).map(({ name }) => name))
  return [
    ...[...made].map((name) => ({ label: `$${name}`, kind: 'variable', detail: 'of this configuration' }) as const),
    ...[...BUILT_IN].map(
      ([name, module]) => ({ label: `$${name.replace('…', '')}`, kind: 'variable', detail: module }) as const,
    ),
  ]
}

/** Names that the configuration has given. */
function named(directive: string, before: readonly string[], word: string, names: readonly Occurrence[]): Proposal[] {
  const all = (kind: SymbolKind): string[] => [
    ...new Set(names.filter((one) => one.kind === kind && one.defines).map(({ name }) => name)),
  ]
  const list = (kind: SymbolKind, prefix = ''): Proposal[] =>
    all(kind).map((name) => ({ label: prefix + name, kind: 'name', detail: kind }))
  if (/_pass$/.test(directive)) {
    const scheme =
      /^[a-z]+:\/\//.exec(word)?.[0] ??
      (directive === 'proxy_pass' ? 'http://' : directive === 'grpc_pass' ? 'grpc://' : '')
    return list('upstream', scheme)
  }
  if (directive === 'limit_req') return list('zone', 'zone=')
  if (/^(?:limit_conn|\w+_cache)$/.test(directive) && before.length === 1) return list('zone')
  if (/^(?:try_files|error_page|internal_redirect)$/.test(directive)) return list('location')
  if (directive === 'access_log' && before.length === 2) return list('log_format')
  return []
}

/** The words that the syntax of a directive has. */
function values(name: string, context: Place['context']): Proposal[] {
  const declared = context === undefined ? undefined : registry.find(name, context)
  if (declared === undefined) return []
  const found = new Set<string>()
  for (const part of declared.args.syntax.split(/\s*\|\s*|\s+/)) {
    const text = part.replaceAll(/[[\]]/g, '').replace(/\.\.\.$/, '')
    if (/^[a-z][\w-]*=/.test(text)) found.add(`${text.split('=')[0]}=`)
    else if (
      /^(?:on|off|auto|any|all|none|default_server|ssl|http2|always|permanent|redirect|last|break|backup|down|resolve|nodelay|[a-z]+\d[\w.]*|TLS\S+)$/.test(
        text,
      )
    )
      found.add(text)
    else if (/\|/.test(declared.args.syntax) && /^[a-z_]+$/.test(text)) found.add(text)
  }
  return [...found].map((label) => ({ label, kind: 'value', detail: declared.args.syntax }))
}
