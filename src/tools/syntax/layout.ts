/**
 * The layout of configuration files: a statement a line, blocks indented, at most two blank lines, comments where they were.
 * Words stay as they are written, quotes and line breaks between them included; columns that somebody has made in tables
 * (`map`, `types`) and after statements (comments) are kept in line. Laying out twice changes nothing.
 */
import type { Comment, Directive, Document, Item, RawWord } from './document.ts'

/** How to lay out. */
export interface LayoutOptions {
  /** One level of indentation. */
  readonly indent: string
}

/** Blocks of which the lines are a table. */
const TABLES: ReadonlySet<string> = new Set([
  'map',
  'types',
  'geo',
  'split_clients',
  'charset_map',
  'num_map',
  'geoip2',
])
const BLANK_LINES_MAX = 2
/** A key longer than this does not push the rest of its table aside. */
const KEY_WIDTH_MAX = 60

/** Returns the whole text, laid out. */
export function layOut({ items, text }: Document, options: LayoutOptions): string {
  const lines = new Layout(options, text).items(items, 0, false)
  const end = /\r\n/.test(text) && !/[^\r]\n/.test(text) ? '\r\n' : '\n'
  return lines.length === 0 ? '' : joinLines(lines, end)
}

/** Returns the text in which only the statements are laid out that touch the lines `from` to `to`. */
export function layOutLines(document: Document, from: number, to: number, options: LayoutOptions): string {
  const { text } = document
  const found = siblings(document.items, from, to, 0)
  if (found === undefined) return text
  const { items, depth } = found
  const first = items[0]!
  const lines = new Layout(options, text).items(items, depth, false)
  const start = text.lastIndexOf('\n', first.start - 1) + 1
  const before = text.slice(start, first.start)
  const laid = joinLines(lines, '\n').slice(0, -1)
  const alone = before.trim() === ''
  return text.slice(0, alone ? start : first.start) + (alone ? laid : laid.trimStart()) + text.slice(endOf(items, text))
}

/** The innermost neighbours that hold all of the lines. */
function siblings(items: readonly Item[], from: number, to: number, depth: number): Siblings | undefined {
  const touched = items.filter((item) => item.line <= to && lastLine(item) >= from)
  if (touched.length === 0) return undefined
  const [only] = touched
  if (touched.length === 1 && only!.kind === 'directive' && only!.block !== undefined && only!.foreign === undefined) {
    if (from > only!.endLine && to < only!.closeLine) return siblings(only!.block, from, to, depth + 1)
  }
  return { items: touched, depth }
}

interface Siblings {
  readonly items: readonly Item[]
  readonly depth: number
}

/** Nothing of the last line is left out: a comment after a statement is laid out with it. */
function endOf(items: readonly Item[], text: string): number {
  const { end } = items.at(-1)!
  return text.slice(end).match(/^[ \t]+(?=\r?\n|$)/) === null ? end : end + text.slice(end).search(/\r?\n|$/)
}

/** A line in the making; `gap` blank lines stand before it, `comment` after it. */
interface Line {
  text: string
  gap: number
  comment: string | undefined
}

function joinLines(lines: readonly Line[], end: string): string {
  alignComments(lines)
  const out: string[] = []
  lines.forEach(({ text, gap, comment }, i) => {
    for (let n = i === 0 ? 0 : gap; n > 0; n--) out.push('')
    out.push(comment === undefined ? text : `${text} ${comment}`)
  })
  // Line breaks inside of words are the file's own.
  return `${out.join(end)}${end}`
}

/** Comments after statements that follow each other stand in one column. */
function alignComments(lines: readonly Line[]): void {
  for (let i = 0; i < lines.length; i++) {
    let end = i
    while (isCommented(lines[end]) && (end === i || lines[end]!.gap === 0)) end++
    const run = lines.slice(i, end)
    const width = Math.max(0, ...run.map(({ text }) => widthOf(text)))
    for (const line of run) line.text += ' '.repeat(width - widthOf(line.text))
    if (end > i) i = end - 1
  }
}

function isCommented(line: Line | undefined): boolean {
  return line?.comment !== undefined && line.text.endsWith(';')
}

function widthOf(text: string): number {
  return text.length - text.lastIndexOf('\n') - 1
}

class Layout {
  readonly #indent: string
  readonly #text: string

  constructor({ indent }: LayoutOptions, text: string) {
    this.#indent = indent
    this.#text = text
  }

  items(items: readonly Item[], depth: number, table: boolean): Line[] {
    const lines: Line[] = []
    const width = table ? keyWidth(items, this.#text) : undefined
    let before: Item | undefined
    for (const item of items) {
      const gap = before === undefined ? 0 : Math.min(Math.max(item.line - lastLine(before) - 1, 0), BLANK_LINES_MAX)
      const last = lines.at(-1)
      if (item.kind === 'directive') lines.push(...this.#directive(item, depth, gap, width))
      else if (before?.kind === 'directive' && item.line === lastLine(before) && last!.comment === undefined)
        last!.comment = item.text
      else lines.push({ text: this.#margin(depth) + item.text, gap, comment: undefined })
      before = item
    }
    return lines
  }

  #margin(depth: number): string {
    return this.#indent.repeat(depth)
  }

  #directive(item: Directive, depth: number, gap: number, width: number | undefined): Line[] {
    const lines = this.#head(item, depth, width)
    lines[0]!.gap = gap
    const { block, foreign, words } = item
    const ends = item.parts.at(-1)!.kind === 'comment'
    if (block === undefined) return this.#terminate(lines, ends, ';', depth)
    if (foreign !== undefined) return this.#terminate(lines, ends, ` ${foreign}`, depth)
    if (block.length === 0) return this.#terminate(lines, ends, ' {}', depth)
    this.#terminate(lines, ends, ' {', depth)
    const inner = [...block]
    const [first] = inner
    // A comment behind the brace stays there.
    if (first!.kind === 'comment' && first!.line === item.endLine) {
      lines.at(-1)!.comment = first!.text
      inner.shift()
    }
    lines.push(...this.items(inner, depth + 1, TABLES.has(words[0]!.word.text)))
    lines.push({ text: `${this.#margin(depth)}}`, gap: 0, comment: undefined })
    return lines
  }

  /** Adds what ends the head; behind a comment it needs a line of its own. */
  #terminate(lines: Line[], newLine: boolean, end: string, depth: number): Line[] {
    if (newLine) lines.push({ text: this.#margin(depth) + end.trimStart(), gap: 0, comment: undefined })
    else lines.at(-1)!.text += end
    return lines
  }

  #head({ parts }: Directive, depth: number, width: number | undefined): Line[] {
    const margin = this.#margin(depth)
    const lines: Line[] = []
    let line: Line = { text: margin, gap: 0, comment: undefined }
    let before: RawWord | Comment | undefined
    /** Where words begin, in the text as it was and as it will be. */
    const columns = new Map<number, number>()
    for (const part of parts) {
      const breaks = before !== undefined && (before.kind === 'comment' || part.line > lineAfter(before))
      if (part.kind === 'comment' && !breaks) {
        line.comment = part.text
        before = part
        continue
      }
      if (breaks) {
        lines.push(line)
        const column = columns.get(this.#columnOf(part))
        const space = column === undefined ? margin + this.#indent : ' '.repeat(column)
        line = { text: space, gap: 0, comment: undefined }
      } else if (before !== undefined) {
        const pad = lines.length === 0 && before === parts[0] ? (width ?? 0) - (before.end - before.start) : 0
        line.text += ' '.repeat(1 + Math.max(pad, 0))
      }
      if (lines.length === 0 && before !== undefined) columns.set(this.#columnOf(part), widthOf(line.text))
      line.text += part.kind === 'word' ? part.raw : part.text
      before = part
    }
    lines.push(line)
    return lines
  }

  #columnOf({ start }: { readonly start: number }): number {
    return start - this.#text.lastIndexOf('\n', start - 1)
  }
}

/** For entries of a table that somebody has put in columns: how wide the first one is. */
function keyWidth(items: readonly Item[], text: string): number | undefined {
  const rows = items.filter(
    (item) => item.kind === 'directive' && item.block === undefined && isRow(item),
  ) as Directive[]
  const isAligned = rows.some(({ words }) => words[1]!.start - words[0]!.end > 1 || text[words[0]!.end] === '\t')
  if (!isAligned) return undefined
  // The column that most of them keep to, if there is one.
  const counts = new Map<number, number>()
  const keys = rows.filter(({ words }) => words[0]!.raw.length <= KEY_WIDTH_MAX)
  for (const { words } of keys) {
    if (text.slice(words[0]!.end, words[1]!.start).includes('\t')) continue
    const column = words[1]!.start - words[0]!.start - 1
    counts.set(column, (counts.get(column) ?? 0) + 1)
  }
  const [column, count] = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? [0, 0]
  return count * 2 > keys.length ? column : Math.max(0, ...keys.map(({ words }) => words[0]!.raw.length))
}

function isRow({ words: [first, second] }: Directive): boolean {
  return second !== undefined && first!.line === second.line && !first!.raw.includes('\n')
}

function lastLine(item: Item): number {
  if (item.kind === 'comment') return item.line
  return item.block === undefined ? item.endLine : item.closeLine
}

function lineAfter(part: RawWord | Comment): number {
  return part.kind === 'comment' ? part.line : part.line + part.raw.split('\n').length - 1
}
