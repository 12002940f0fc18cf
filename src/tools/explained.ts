/**
 * What is written by hand about directives. docs/explained has a file for each module, with a section for each directive and
 * examples in fences that name their context (`nginx server`). A file that begins with `For: proxy fastcgi ...` is for
 * the directives that these prefixes share: `{x}` stands for the prefix, `{pass}` for a directive that passes to an address
 * of that protocol, `{app}` for one that passes to the group `app`, `{tls}` for one that does it by TLS. A module's own
 * section goes before a shared one.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Directive } from '../config/directive.ts'

/** A module, as far as it is explained. */
interface ExplainedModule {
  readonly name: string
  readonly directives: Readonly<Record<string, Directive<unknown>>>
}

/** The texts by module and directive, and the sections that belong to no directive. */
export interface Explanations {
  of(module: string, directive: string): string | undefined
  readonly unused: readonly string[]
}

/** The folder that has docs: the same from the sources and from what is built. */
const ROOT = path.join(import.meta.dirname, '../..')
const PAGES = 'https://github.com/viaduct/viaduct/blob/main/docs/reference'

const SCHEMES: Readonly<Record<string, readonly [plain: string, tls: string, port: number]>> = {
  proxy: ['http://', 'https://', 8000],
  grpc: ['grpc://', 'grpcs://', 50051],
  fastcgi: ['', '', 9000],
  uwsgi: ['', 'suwsgi://', 3031],
  scgi: ['', '', 4000],
  memcached: ['', '', 11211],
  tunnel: ['', '', 3128],
}

/** Without it no example would be whole. */
const MEMCACHED_KEY = 'set $memcached_key $uri; '

/** Reads what is written about the directives of `modules`. */
export function readExplanations(modules: readonly ExplainedModule[], root = ROOT): Explanations {
  const own = new Map<string, string>()
  const shared = new Map<string, string>()
  for (const { name, text } of files(root)) {
    const prefixes = /^For: (.+)\n/.exec(text)?.[1]?.split(' ')
    for (const [heading, section] of sectionsOf(text)) {
      if (prefixes === undefined) own.set(`${name} ${heading}`, section)
      for (const prefix of prefixes ?? []) shared.set(filled(heading, prefix), filled(section, prefix))
    }
  }
  const known = new Set(
    modules.flatMap(({ name, directives }) => Object.keys(directives).map((one) => `${name} ${one}`)),
  )
  const names = new Set(modules.flatMap(({ directives }) => Object.keys(directives)))
  const headings = new Set(
    files(root).flatMap(({ text }) => (text.startsWith('For: ') ? [...sectionsOf(text).keys()] : [])),
  )
  return {
    of: (module, directive) => own.get(`${module} ${directive}`) ?? shared.get(directive),
    unused: [
      ...[...own.keys()].filter((key) => !known.has(key)),
      ...[...headings].filter((heading) => ![...names].some((name) => isFilled(heading, name))),
    ],
  }
}

/** Where the reference tells of a directive. */
export function pageOf(module: string, directive: string): string {
  return `${PAGES}/${module}.md#${directive}`
}

function isFilled(heading: string, name: string): boolean {
  return name.endsWith(heading.replace('{x}', ''))
}

function sectionsOf(text: string): Map<string, string> {
  const sections = text.split(/^## /m).slice(1)
  return new Map(
    sections.map((part) => [part.slice(0, part.indexOf('\n')).trim(), part.slice(part.indexOf('\n')).trim()]),
  )
}

function filled(text: string, prefix: string): string {
  const [plain, tls, port] = SCHEMES[prefix] ?? ['', '', 0]
  return text
    .replaceAll('{x}', prefix)
    .replaceAll('{pass}', `${prefix === 'memcached' ? MEMCACHED_KEY : ''}${prefix}_pass ${plain}127.0.0.1:${port}`)
    .replaceAll('{app}', `${prefix === 'memcached' ? MEMCACHED_KEY : ''}${prefix}_pass ${plain}app`)
    .replaceAll('{tls}', `${prefix}_pass ${tls}app.example.com`)
}

function files(root: string): { readonly name: string; readonly text: string }[] {
  const folder = path.join(root, 'docs/explained')
  if (!fs.existsSync(folder)) return []
  const names = fs.readdirSync(folder).filter((name) => name.endsWith('.md'))
  return names.sort().map((name) => ({
    name: name.slice(0, -'.md'.length),
    text: fs.readFileSync(path.join(folder, name), 'utf8'),
  }))
}
