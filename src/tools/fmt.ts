/** `viaduct fmt`: lays out configuration files. Only blanks change, which is made sure of before anything is written. */

import fs from 'node:fs'
import path from 'node:path'
import { parse } from '../config/parser.ts'
import type { Statement } from '../config/source.ts'
import { decodeText } from '../lib/text.ts'
import { configurationsIn, readText, replaceText } from './frame/files.ts'
import { type Console, FINE, FOUND, ToolFailure, tool } from './frame/tool.ts'
import { type Document, readDocument } from './syntax/document.ts'
import { layOut, layOutLines } from './syntax/layout.ts'

/** What they include besides. */
const OTHERS = /(?:^|\/)(?:mime\.types|\w+_params)$/

/** The tool. */
export const fmt = tool({
  name: 'fmt',
  summary: 'lays out configuration files; comments, quotes and meaning stay',
  usage: ['[-w | --check] FILE|FOLDER ...', '-'],
  about:
    'Prints the files laid out: a statement a line, blocks indented, comments and at most two blank lines kept.\n' +
    'Words stay as written. With - it reads standard input. In folders it takes *.conf, *.nginx, sites-*/* and snippets/*.',
  options: {
    write: { type: 'boolean', short: 'w', help: 'change the files, and name those that were changed' },
    check: { type: 'boolean', help: 'change nothing; exit 1 and name the files that are not laid out' },
    indent: {
      type: 'string',
      value: 'N|tab',
      help: 'spaces of one level (4), or tab',
      choices: ['2', '4', '8', 'tab'],
    },
    lines: { type: 'string', value: 'A:B', help: 'lay out only the statements that touch these lines' },
    'stdin-filename': { type: 'string', value: 'NAME', help: 'the name of standard input in messages' },
    json: { type: 'boolean', help: 'with --check: the result as JSON' },
  },
  words: 'files',
  examples: [
    ['nginx.conf', 'print it laid out'],
    ['-w /etc/nginx', 'lay out all files of a folder'],
    ['--check conf/', 'for CI: exit 1 when something is not laid out'],
    ['--lines 10:20 -', 'for editors: a part of what comes from standard input'],
  ],
  async run(values, words, console) {
    const { write = false, check = false, lines } = values
    if (write && check) throw new ToolFailure('-w and --check exclude each other')
    const options = { indent: indentOf(values.indent), lines: lines === undefined ? undefined : linesOf(lines) }
    const names = words.length > 0 ? words : console.interactive ? undefined : ['-']
    if (names === undefined) throw new ToolFailure('which file?', 'viaduct fmt FILE, or - for standard input')
    const changed: string[] = []
    for (const name of names.flatMap((word) => filesOf(word, console))) {
      const stdin = name === '-'
      const shown = stdin ? (values['stdin-filename'] ?? '-') : name
      const text = stdin ? decodeText(await console.input()) : readText(path.resolve(console.folder, name))
      const laid = formatText(text, shown, options)
      if (!check && !(write && !stdin)) console.out(laid)
      if (laid === text) continue
      changed.push(shown)
      if (!write || stdin) continue
      replaceText(path.resolve(console.folder, name), laid)
      console.error(`${name}\n`)
    }
    if (!check) return FINE
    if (values.json === true) console.out(`${JSON.stringify({ changed }, undefined, 2)}\n`)
    else for (const name of changed) console.out(`${name}\n`)
    return changed.length > 0 ? FOUND : FINE
  },
})

/** How to lay out a text. */
export interface FormatOptions {
  readonly indent: string
  readonly lines?: readonly [number, number] | undefined
}

/** Lays out a text; throws a `ToolFailure` when its grammar is wrong. */
export function formatText(text: string, file: string, { indent, lines }: FormatOptions): string {
  const document = readDocument(text, file)
  const { fault } = document
  if (fault !== undefined) {
    throw new ToolFailure(`${fault.message} in ${file}:${fault.at.line}`, fault.hint)
  }
  const laid =
    lines === undefined ? layOut(document, { indent }) : layOutLines(document, lines[0], lines[1], { indent })
  if (!isSame(document, readDocument(laid, file))) throw new Error(`fmt would change the meaning of ${file}`)
  return laid
}

/** The same statements for the server, and the same comments. */
function isSame(before: Document, after: Document): boolean {
  return after.fault === undefined && shapeOf(before) === shapeOf(after)
}

function shapeOf({ items, text, file }: Document): string {
  const raw: string[] = []
  const add = (list: Document['items']): void => {
    for (const item of list) {
      if (item.kind === 'comment') raw.push(item.text)
      else {
        raw.push(...item.parts.map((part) => (part.kind === 'word' ? part.raw : part.text)))
        raw.push(item.foreign ?? (item.block === undefined ? ';' : '{'))
        if (item.block !== undefined) add(item.block)
        raw.push('}')
      }
    }
  }
  add(items)
  const foreign = text.includes('_by_lua') || text.includes('{{') || text.includes('{%')
  return JSON.stringify([raw, foreign ? [] : meaningOf(parse(text, file, {}))])
}

function meaningOf(statements: readonly Statement[]): unknown {
  return statements.map(({ name, args, block, fault }) => [
    name.text,
    args.map((word) => [word.text, word.quoted]),
    block && meaningOf(block),
    fault,
  ])
}

function indentOf(word = '4'): string {
  if (word === 'tab') return '\t'
  if (!/^\d$/.test(word)) throw new ToolFailure(`--indent takes a number of spaces or "tab", not "${word}"`)
  return ' '.repeat(Number(word))
}

function linesOf(word: string): readonly [number, number] {
  const match = /^(\d+):(\d+)$/.exec(word)
  if (match === null) throw new ToolFailure(`--lines takes two numbers such as 10:20, not "${word}"`)
  return [Number(match[1]), Number(match[2])]
}

function filesOf(word: string, { folder }: Console): readonly string[] {
  if (word === '-') return [word]
  const full = path.resolve(folder, word)
  const status = fs.statSync(full, { throwIfNoEntry: false })
  if (status === undefined || !status.isDirectory()) return [word]
  return configurationsIn(full, OTHERS)
    .map((name) => path.join(word, name))
    .filter((name) => isPlain(path.resolve(folder, name)))
}

/** Links are laid out where they lead to. */
function isPlain(full: string): boolean {
  return fs.lstatSync(full).isFile()
}
