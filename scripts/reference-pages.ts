/**
 * The pages of docs/reference, made of the declarations of the modules, one for each, with what docs/explained says: what
 * can be configured, which variables there are, and what is accepted without effect.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Context, Directive } from '../src/config/directive.ts'
import { type Explanations, readExplanations } from '../src/tools/explained.ts'

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
export function referencePages(
  modules: readonly DocumentedModule[],
  explained?: Explanations,
): Readonly<Record<string, string>> {
  const sorted = modules.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const pages = sorted.filter(hasPage).map((module) => [`${module.name}.md`, modulePage(module, modules, explained)])
  return {
    ...(Object.fromEntries(pages) as Record<string, string>),
    'README.md': page('Reference', contents(sorted)),
    'variables.md': page('Variables', sorted.flatMap(variablesOf)),
    'without-effect.md': page('Accepted without effect', withoutEffect(sorted)),
  }
}

/** Writes the pages of the project in `root`. */
export function writePages(root: string, modules: readonly DocumentedModule[]): void {
  const folder = path.join(root, 'docs/reference')
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
  const pages = referencePages(modules, readExplanations(modules, root))
  for (const [name, text] of Object.entries(pages)) fs.writeFileSync(path.join(folder, name), text)
}

/** Names as texts mark them, and words that can be nothing else. */
export const MARKED = /(?<![[\w])`([a-z0-9_]+)`/g
export const BARE = /(?<![\w$`[/.-])([a-z0-9]+(?:_[a-z0-9]+)+)(?![\w`*])/g

/** Names of directives in a text become links to their pages; those that several modules have, to that of the text's own. */
export function linked(text: string, modules: readonly DocumentedModule[], names: RegExp, own = ''): string {
  const parts = text.split(/(^```.*?^```$)/ms)
  const prose = (part: string): string =>
    part.replaceAll(names, link).replaceAll(/(?<![\w/]|\]\()docs\/([A-Z-]+\.md)/g, '[docs/$1](../$1)')
  return parts.map((part, i) => (i % 2 === 1 ? part : prose(part))).join('')

  function link(whole: string, name: string): string {
    const having = modules.filter(({ directives }) => Object.hasOwn(directives, name))
    const target = having.find((one) => one.name === own) ?? (having.length === 1 ? having[0] : undefined)
    if (target === undefined) return whole
    return `[${whole}](${target.name === own ? '' : `${target.name}.md`}#${name})`
  }
}

function page(title: string, parts: readonly string[]): string {
  return `# ${title}\n\n${GENERATED}\n${parts.join('\n\n')}\n`
}

function hasPage({ directives, variables = {}, prefixes = {} }: DocumentedModule): boolean {
  return [directives, variables, prefixes].some((part) => Object.keys(part).length > 0)
}

function modulePage(module: DocumentedModule, all: readonly DocumentedModule[], explained?: Explanations): string {
  const { name, doc, directives } = module
  const entries = Object.entries(directives).toSorted(byName)
  const variables = namesOfVariables(module)
  const explainedText = (one: string): string | undefined => {
    const text = explained?.of(name, one)
    // A directive does not lead to itself.
    return text === undefined
      ? undefined
      : linked(text, all, MARKED, name).replaceAll(`[\`${one}\`](#${one})`, `\`${one}\``)
  }
  return page(name, [
    ...(doc === undefined ? [] : [doc]),
    ...entries.map(([one, directive]) => directiveText(one, directive, explainedText(one))),
    ...(variables.length === 0 ? [] : [`## Variables\n\n${variables.map((one) => `- \`$${one}\``).join('\n')}`]),
  ])
}

/** All directives by name, with the pages that tell of them. */
function contents(modules: readonly DocumentedModule[]): string[] {
  const places = new Map<string, string[]>()
  for (const { name, directives } of modules) {
    for (const one of Object.keys(directives)) places.set(one, [...(places.get(one) ?? []), name])
  }
  const lines = [...places].toSorted(byName).map(([name, pages]) => {
    const links = pages.map((one) => `[${one}](${one}.md#${name})`).join(', ')
    return `- ${name}: ${links}`
  })
  const others =
    '[Variables](variables.md), [what is accepted without effect](without-effect.md), [checks of `lint`](lint.md).'
  return [others, lines.join('\n')]
}

function directiveText(name: string, directive: Directive<unknown>, explanation?: string): string {
  const { syntax } = directive.args
  const words = syntax === '' ? name : `${name} ${syntax}`
  const end = directive.kind === 'block' ? ' { ... }' : ';'
  const lines = [
    `## ${name}`,
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
  return explanation === undefined ? lines.join('\n') : `${lines.join('\n')}\n\n${explanation}`
}

function namesOfVariables({ variables = {}, prefixes = {} }: DocumentedModule): string[] {
  return [...Object.keys(variables), ...Object.keys(prefixes).map((prefix) => `${prefix}NAME`)].sort()
}

function variablesOf(module: DocumentedModule): string[] {
  const { name } = module
  const names = namesOfVariables(module)
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
