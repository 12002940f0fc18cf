/**
 * The pages of docs/reference, made of the declarations of the modules: what can be configured, which variables there
 * are, and what is accepted without effect. Nothing in them is written by hand.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Context, Directive } from '../src/config/directive.ts'

/** What the pages tell of a module. */
export interface DocumentedModule {
  readonly name: string
  readonly doc?: string
  readonly directives: Readonly<Record<string, Directive<unknown>>>
  readonly variables?: Readonly<Record<string, unknown>>
  readonly prefixes?: Readonly<Record<string, unknown>>
}

const GENERATED = '<!-- Made of the declarations by `npm run docs`. -->\n'

/** Contexts that read better with more words. */
const CONTEXTS: Partial<Record<Context, string>> = {
  server_if: 'if in server',
  if: 'if in location',
  stream_server: 'server (stream)',
  stream_upstream: 'upstream (stream)',
  stream_match: 'match (stream)',
  mail_server: 'server (mail)',
}

/** Returns the text of each page by its file name. */
export function referencePages(modules: readonly DocumentedModule[]): Readonly<Record<string, string>> {
  const sorted = modules.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return {
    'directives.md': page('Directives', sorted.flatMap(directivesOf)),
    'variables.md': page('Variables', sorted.flatMap(variablesOf)),
    'without-effect.md': page('Accepted without effect', withoutEffect(sorted)),
  }
}

/** Writes the pages of the project in `root`. */
export function writePages(root: string, modules: readonly DocumentedModule[]): void {
  const folder = path.join(root, 'docs/reference')
  fs.mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(referencePages(modules))) fs.writeFileSync(path.join(folder, name), text)
}

function page(title: string, parts: readonly string[]): string {
  return `# ${title}\n\n${GENERATED}\n${parts.join('\n\n')}\n`
}

function directivesOf({ name, doc, directives }: DocumentedModule): string[] {
  const entries = Object.entries(directives)
  if (entries.length === 0) return []
  const head = doc === undefined ? `## ${name}` : `## ${name}\n\n${doc}`
  return [head, ...entries.toSorted(byName).map(([one, directive]) => directiveText(one, directive))]
}

function directiveText(name: string, directive: Directive<unknown>): string {
  const { syntax } = directive.args
  const words = syntax === '' ? name : `${name} ${syntax}`
  const end = directive.kind === 'block' ? ' { ... }' : ';'
  const lines = [
    `### ${name}`,
    '',
    directive.doc,
    '',
    `- Syntax: \`${words}${end}\``,
    ...(directive.default === undefined ? [] : [`- Default: \`${name} ${directive.default};\``]),
    `- Context: ${directive.in.map((context) => CONTEXTS[context] ?? context).join(', ')}`,
    ...(directive.kind === 'many' ? ['- May be given several times.'] : []),
    ...(directive.since === undefined ? [] : [`- Since ${directive.since}`]),
    ...(directive.withoutEffect === undefined ? [] : [`- Has no effect: ${sentence(directive.withoutEffect)}`]),
    ...(directive.unsupported === undefined ? [] : [`- Is refused: ${sentence(directive.unsupported)}`]),
  ]
  return lines.join('\n')
}

function variablesOf({ name, variables = {}, prefixes = {} }: DocumentedModule): string[] {
  const names = [...Object.keys(variables), ...Object.keys(prefixes).map((prefix) => `${prefix}NAME`)].sort()
  return names.length === 0 ? [] : [`## ${name}\n\n${names.map((one) => `- \`$${one}\``).join('\n')}`]
}

function withoutEffect(modules: readonly DocumentedModule[]): string[] {
  const all = modules.flatMap((module) => Object.entries(module.directives)).toSorted(byName)
  const ignored = all.flatMap(([name, { withoutEffect: why }]) =>
    why === undefined ? [] : [`- \`${name}\`: ${sentence(why)}`],
  )
  const refused = all.flatMap(([name, { unsupported: why }]) =>
    why === undefined ? [] : [`- \`${name}\`: ${sentence(why)}`],
  )
  return [
    'These directives of nginx are read and checked, and change nothing here.',
    [...new Set(ignored)].join('\n'),
    'These are refused, because ignoring them would be dangerous.',
    [...new Set(refused)].join('\n'),
  ]
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}
