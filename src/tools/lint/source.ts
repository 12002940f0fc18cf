/**
 * Where the configurations come from that are checked: a whole one, a file that others include, a folder of them, what
 * `nginx -T` printed, standard input. A file that is only a part is put into the blocks that its directives need.
 */

import fs from 'node:fs'
import path from 'node:path'
import type { Context } from '../../config/directive.ts'
import type { SourceReader } from '../../config/include.ts'
import { parse } from '../../config/parser.ts'
import type { Statement } from '../../config/source.ts'
import { decodeText } from '../../lib/text.ts'
import { configurationsIn, readText, textReader } from '../frame/files.ts'
import { type Console, ToolFailure } from '../frame/tool.ts'
import { type ModelSource, registry } from '../model/model.ts'
import { type TargetValues, targetOf } from '../target.ts'

const USUAL = '/etc/nginx/'
const FOLDERS_ABOVE = 4
const INCLUDES_DEPTH = 3
/** Blocks that only a whole configuration has. */
const WHOLE: ReadonlySet<string> = new Set(['events', 'http', 'stream', 'mail'])
/** As nearly all are laid out: saves reading a large file twice. */
const LOOKS_WHOLE = /^events\s*\{|^http\s*\{/m
const DUMP_MARK = /^# configuration file (.+):$/m

/** Blocks around a part of a configuration, by the context that it is for. */
const AROUND: readonly (readonly [Context, string])[] = [
  ['main', ''],
  ['http', 'http {'],
  ['server', 'http { server {'],
  ['location', 'http { server { location / {'],
  ['upstream', 'http { upstream part {'],
  ['types', 'http { types {'],
  ['stream', 'stream {'],
  ['stream_server', 'stream { server {'],
]

/** Finds the configurations that the words mean. */
export async function sourcesOf(
  values: TargetValues,
  words: readonly string[],
  console: Console,
): Promise<ModelSource[]> {
  if (words.length === 0 || values.prefix !== undefined) {
    const { path: file, prefix, globals } = targetOf(values, words, console)
    readText(file)
    return [{ path: file, prefix, globals, reader: textReader }]
  }
  const sources: ModelSource[] = []
  for (const word of words) {
    if (word === '-')
      sources.push(sourceOf(decodeText(await console.input()), path.join(console.folder, 'stdin'), true))
    else sources.push(...fromDisk(path.resolve(console.folder, word)))
  }
  return sources
}

function fromDisk(full: string): ModelSource[] {
  const status = fs.statSync(full, { throwIfNoEntry: false })
  if (status?.isDirectory() !== true) return [sourceOf(readText(full), full)]
  const main = path.join(full, 'nginx.conf')
  if (fs.existsSync(main)) return [sourceOf(readText(main), main)]
  const files = configurationsIn(full).map((name) => path.join(full, name))
  if (files.length === 0) throw new ToolFailure(`no configuration files in ${full}`)
  // Whole ones first: what they include need not be looked at by itself.
  const named = files.map((file) => ({ file, text: readText(file), isMain: path.basename(file) === 'nginx.conf' }))
  const configurations = named.filter(({ file, text }) => isConfiguration(text, file))
  return [...configurations.filter(({ isMain }) => isMain), ...configurations.filter(({ isMain }) => !isMain)].map(
    ({ text, file }) => sourceOf(text, file),
  )
}

/** Other programs have files with such names, too: one in which no directive of nginx stands is theirs. */
function isConfiguration(text: string, file: string): boolean {
  const names = parse(text, file).map(({ name }) => name.text)
  return (
    names.length === 0 ||
    names.some(
      (name) => name === 'include' || registry.named(name).length > 0 || registry.catalogued(name) !== undefined,
    )
  )
}

/** A text as a configuration: a dump, a whole one or a part of one. `unnamed`: the text is nowhere on the disk. */
export function sourceOf(text: string, file: string, unnamed = false, reader: SourceReader = textReader): ModelSource {
  if (text.startsWith('# configuration file ') || (unnamed && DUMP_MARK.test(text))) return fromDump(text)
  const withText = besides(file, { glob: reader.glob, read: (name) => (name === file ? text : reader.read(name)) })
  const whole = { path: file, prefix: `${path.dirname(file)}/`, reader: withText, elsewhere: unnamed }
  if (LOOKS_WHOLE.test(text)) return whole
  const statements = parse(text, file).filter(({ fault }) => fault === undefined)
  if (statements.some(({ name }) => WHOLE.has(name.text))) return whole
  const prefix = wholeFolder(file, statements, withText)
  const around = contextFor(namesIn(statements, prefix, withText, 0))
  const outer = `${prefix}.part-of-a-configuration`
  const wrapped = `${around} include "${file}"; ${'}'.repeat(around.split('{').length - 1)}`
  return {
    path: outer,
    prefix,
    fragment: true,
    part: file,
    elsewhere: true,
    reader: { ...withText, read: (name) => (name === outer ? wrapped : withText.read(name)) },
  }
}

/** A configuration for a container names files as they are there; they lie beside it (`/etc/nginx/http.conf`). */
function besides(file: string, reader: SourceReader): SourceReader {
  const folder = `${path.dirname(file)}/`
  if (file.startsWith(USUAL)) return reader
  const own = (name: string): string | undefined =>
    name.startsWith(USUAL) ? folder + name.slice(USUAL.length) : undefined
  return {
    read: reader.read,
    glob(pattern) {
      const beside = own(pattern)
      const found = beside === undefined ? [] : reader.glob(beside)
      return found.length > 0 ? found : reader.glob(pattern)
    },
    locate(name) {
      const beside = own(name)
      return beside !== undefined && readFrom(beside, reader).length > 0 ? beside : name
    },
  }
}

/** Names in a part are those of the folder of the whole, which is one above, or some more. */
function wholeFolder(file: string, statements: readonly Statement[], reader: SourceReader): string {
  const includes = includesIn(statements).filter((name) => !name.startsWith('/'))
  const own = `${path.dirname(file)}/`
  let folder = own
  for (let i = 0; i < FOLDERS_ABOVE && includes.length > 0; i++) {
    const at = folder
    if (includes.some((name) => readFrom(at + name, reader).length > 0)) return at
    folder = path.join(folder, '..', '/')
  }
  return own
}

function includesIn(statements: readonly Statement[]): string[] {
  return statements.flatMap(({ name, args, block }) => [
    ...(name.text === 'include' && args[0] !== undefined ? [args[0].text] : []),
    ...(block === undefined ? [] : includesIn(block)),
  ])
}

function readFrom(name: string, reader: SourceReader): string[] {
  try {
    return (/[*?[]/.test(name) ? reader.glob(name) : [name]).map((one) => reader.read(one))
  } catch {
    return []
  }
}

/** The names of its directives, also of those that it includes. */
function namesIn(statements: readonly Statement[], prefix: string, reader: SourceReader, depth: number): string[] {
  return statements.flatMap(({ name, args }) => {
    if (name.text !== 'include' || args[0] === undefined) return [name.text]
    if (depth >= INCLUDES_DEPTH) return []
    const full = args[0].text.startsWith('/') ? args[0].text : prefix + args[0].text
    return readFrom(full, reader).flatMap((text) => namesIn(parse(text, full), prefix, reader, depth + 1))
  })
}

/** The blocks that directives want around them. */
function contextFor(names: readonly string[]): string {
  const score = (context: Context): number =>
    names.filter((name) => registry.find(name, context) ?? registry.catalogued(name)?.includes(context)).length
  let best = AROUND[0]!
  for (const candidate of AROUND) if (score(candidate[0]) > score(best[0])) best = candidate
  return best[1]
}

/** What `nginx -T` printed: the files by their names, on another machine perhaps. */
function fromDump(text: string): ModelSource {
  const texts = new Map<string, string>()
  const parts = text.split(/^# configuration file (.+):\n/m)
  for (let i = 1; i < parts.length; i += 2) texts.set(parts[i]!, parts[i + 1]!.replace(/\n$/, ''))
  const [main] = texts.keys()
  if (main === undefined) throw new ToolFailure('this is no dump of nginx -T')
  const missing = (name: string): never => {
    throw Object.assign(new Error(name), { code: 'ENOENT' })
  }
  return {
    path: main,
    prefix: `${path.dirname(main)}/`,
    elsewhere: true,
    reader: {
      read: (name) => texts.get(name) ?? missing(name),
      glob: (pattern) => [...texts.keys()].filter((name) => path.matchesGlob(name, pattern)).sort(),
    },
  }
}
