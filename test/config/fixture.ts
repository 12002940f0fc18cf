/** A small module list, a reader over texts in memory, and a readable dump of a configuration, for the tests of src/config. */
import {
  bits,
  confFile,
  flag,
  keyValue,
  milliseconds,
  none,
  number,
  offset,
  oneOf,
  prefixPath,
  rate,
  raw,
  seconds,
  size,
  sizeList,
  text,
  words,
  zone,
} from '../../src/config/args.ts'
import { either, mapped, optional, params, present, tuple, worded } from '../../src/config/combine.ts'
import { Diagnostics } from '../../src/config/diagnostics.ts'
import type { ScopeView } from '../../src/config/directive.ts'
import {
  type BlockValue,
  block,
  type Context,
  type Directives,
  directive,
  directives,
} from '../../src/config/directive.ts'
import { formatPlain } from '../../src/config/format.ts'
import { expandGlob } from '../../src/config/glob.ts'
import type { SourceReader } from '../../src/config/include.ts'
import { type Config, loadConfig } from '../../src/config/load.ts'

const doc = 'Test.'
const everywhere: readonly Context[] = ['http', 'server', 'location']
const line = mapped(raw('...', { min: 1 }), (list) => list.map((w) => w.text))

const core = {
  events: block({ in: ['main'], opens: 'events', args: none, doc, duplicate: '"events" directive is duplicate' }),
  http: block({ in: ['main'], opens: 'http', args: none, doc, duplicate: '"http" directive is duplicate' }),
  server: block({ in: ['http'], opens: 'server', args: none, reading: 'late', doc }),
  location: block({ in: ['server', 'location'], opens: 'location', args: words('uri', { max: 2 }), doc }),
  limit_except: block({ in: ['location'], opens: 'limit_except', args: words('method'), doc }),
  types: block({ in: everywhere, opens: 'types', args: none, entry: line, doc }),
  map: block({ in: ['http'], opens: 'map', args: keyValue('string', '$variable'), entry: line, doc }),
  daemon: directive({ in: ['main'], args: flag, default: 'on', doc }),
  worker_connections: directive({ in: ['events'], args: number('number'), default: '512', doc }),
  words: directives({ in: ['main', ...everywhere], args: raw('...'), doc }),
} satisfies Directives

const ifs = {
  if: block({ in: ['server'], opens: 'server_if', args: raw('(condition)', { min: 1 }), doc }),
} satisfies Directives

const locationIfs = {
  if: block({ in: ['location'], opens: 'if', args: raw('(condition)', { min: 1 }), doc }),
} satisfies Directives

const settings = {
  sendfile: directive({ in: [...everywhere, 'if'], args: flag, default: 'off', doc }),
  client_body_buffer_size: directive({ in: everywhere, args: size, default: '16k', doc }),
  client_max_body_size: directive({ in: everywhere, args: offset, default: '1m', doc }),
  client_body_timeout: directive({ in: everywhere, args: milliseconds, default: '60s', doc }),
  expires_test: directive({ in: everywhere, args: seconds, doc }),
  keepalive_requests: directive({ in: everywhere, args: number('number'), default: '1000', doc }),
  limit_req_status: directive({ in: everywhere, args: number('code', { min: 400, max: 599 }), default: '503', doc }),
  at_least: directive({ in: everywhere, args: number('number', { min: 2 }), doc }),
  satisfy: directive({ in: everywhere, args: oneOf('all', 'any'), default: 'all', doc }),
  next_upstream: directive({ in: everywhere, args: bits('error', 'timeout', 'off'), default: 'error timeout', doc }),
  root: directive({ in: [...everywhere, 'if'], args: prefixPath(), default: 'html', doc }),
  password_file: directive({ in: everywhere, args: confFile(), doc }),
  buffers: directive({ in: everywhere, args: sizeList, default: '8 4k', doc }),
  add_header: directives({
    in: [...everywhere, 'if'],
    args: tuple(text('name'), text('value'), optional(oneOf('always'))),
    doc,
  }),
  limit_req: directives({
    in: everywhere,
    args: params(
      { zone: text('name'), burst: worded(number('number'), 'invalid burst value "%w"'), nodelay: present },
      { min: 1 },
    ),
    doc,
  }),
  limit_req_zone: directives({ in: ['http'], args: tuple(text('key'), params({ zone, rate })), doc }),
  pass: directive({ in: ['location', 'if', 'limit_except'], args: text('url'), inheritance: 'pseudo', doc }),
  alias: directive({ in: ['location'], args: text('path'), inheritance: 'never', doc }),
  error_log: directives({ in: ['main', ...everywhere], args: tuple(text('file'), optional(text('level'))), doc }),
  max_ranges: directive({ in: everywhere, args: either(oneOf('off'), number('number')), doc }),
  begins_alone: directive({ in: everywhere, args: text('x'), reading: 'eager', doc }),
  last_wins: directive({ in: everywhere, args: text('x'), duplicate: false, doc }),
  own_words: directive({ in: everywhere, args: text('x'), duplicate: 'own_words is given twice', doc }),
  perl: directive({ in: everywhere, args: text('x'), unsupported: 'there is no Perl in here', doc }),
} satisfies Directives

/** The modules that every test of src/config loads. */
export const modules = [
  { name: 'core', directives: core },
  { name: 'ifs', directives: ifs },
  { name: 'location-ifs', directives: locationIfs },
  { name: 'settings', directives: settings },
]

/** The declarations of `settings`, for tests that resolve them. */
export { core, settings }

/** Reads from a map of path to text; folders exist as far as paths tell. */
function memoryReader(texts: ReadonlyMap<string, string>): SourceReader {
  const namesIn = (folder: string) => {
    const inside = [...texts.keys()].filter((path) => path.startsWith(folder))
    return [...new Set(inside.map((path) => path.slice(folder.length).split('/')[0]!))]
  }
  return {
    read(path) {
      const found = texts.get(path)
      if (found === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
      return found
    },
    glob: (pattern) =>
      expandGlob(pattern, namesIn, (path) => [...texts.keys()].some((p) => `${p}/`.startsWith(`${path}/`))),
  }
}

/** Loads `/etc/v/nginx.conf` from memory with the test modules. */
export function loadTexts(
  texts: ReadonlyMap<string, string>,
  globals = '',
  checked = false,
): { config: Config; diagnostics: Diagnostics } {
  const diagnostics = new Diagnostics()
  const reader = memoryReader(texts)
  const config = loadConfig({
    path: '/etc/v/nginx.conf',
    prefix: '/srv/',
    globals,
    modules,
    reader,
    diagnostics,
    checked,
  })
  return { config, diagnostics }
}

/** Loads one text. */
export function loadText(conf: string): { config: Config; diagnostics: Diagnostics } {
  return loadTexts(new Map([['/etc/v/nginx.conf', conf]]))
}

/** The blocks of a configuration with the settings that are no defaults. */
export function dumpBlocks({ main }: Config): string {
  return dumpScope('main', main, '').join('\n')
}

/** The findings as nginx prints them, and for a sound configuration its blocks with the settings that are no defaults. */
export function dump({ config, diagnostics }: { config: Config; diagnostics: Diagnostics }): string {
  const findings = diagnostics.all.map((d) => formatPlain(d))
  return [...findings, ...(diagnostics.failed ? [] : dumpScope('main', config.main, ''))].join('\n')
}

function dumpScope(title: string, scope: ScopeView, indent: string): string[] {
  const all = { ...settings, daemon: core.daemon, worker_connections: core.worker_connections, words: core.words }
  const here = Object.fromEntries(Object.entries(all).filter(([, d]) => d.in.includes(scope.context)))
  const values = Object.entries(scope.resolve(here)).filter(([name, value]) => !isDefault(name, value))
  const shown = values.map(([name, value]) => `${name}=${JSON.stringify(value, plainWords)}`)
  const blocks = scope.ordered({ ...core, ...ifs }).concat(scope.ordered(locationIfs) as never)
  const inner = blocks.flatMap(({ name, value }) => {
    if (!isBlock(value)) return []
    const args = value.args === true ? '' : ` ${JSON.stringify(value.args, plainWords)}`
    const entries = value.entries.map((e) => `${indent}    ${JSON.stringify(e.value)}`)
    return [...dumpScope(name + args, value.scope, `${indent}  `), ...entries]
  })
  return [`${indent}${title}${shown.map((s) => ` ${s}`).join('')}`, ...inner]
}

function isDefault(name: string, value: unknown): boolean {
  const untouched = loadDefaults()
  return JSON.stringify(untouched[name]) === JSON.stringify(value)
}

let defaults: Readonly<Record<string, unknown>> | undefined
function loadDefaults(): Readonly<Record<string, unknown>> {
  const all = { ...settings, daemon: core.daemon, worker_connections: core.worker_connections, words: core.words }
  defaults ??= loadText('').config.main.resolve(all)
  return defaults
}

function isBlock(value: unknown): value is BlockValue<unknown, unknown> {
  return typeof value === 'object' && value !== null && 'scope' in value
}

/** Words as their text, in `<>` when they were quoted. */
function plainWords(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('quoted' in value) || !('text' in value)) return value
  return value.quoted ? `<${value.text}>` : value.text
}
