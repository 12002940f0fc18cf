/** Applies fixes to the text of files: only what a fix is about changes, comments and layout stay. */
import type { Position } from '../../config/source.ts'
import { type Directive, type Document, type Item, readDocument } from '../syntax/document.ts'
import type { Edit, Fix } from './check.ts'

/** A change of a text, in characters. */
export interface TextEdit {
  readonly file: string
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Finds where the edits of a fix are; undefined when a file is not as it was read. */
export function placeFix(fix: Fix, documentOf: (file: string) => Document | undefined): TextEdit[] | undefined {
  const edits: TextEdit[] = []
  for (const edit of fix.edits) {
    const at: Position = edit.kind === 'replace' ? edit.word : edit.node.at
    const document = documentOf(at.file)
    const placed = document && place(edit, document)
    if (placed === undefined) return undefined
    edits.push(placed)
  }
  return edits
}

/** Returns the text with the edits made; those that touch each other, or are there twice, are left out. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  let out = text
  let last = Number.POSITIVE_INFINITY
  for (const edit of edits.toSorted((a, b) => b.start - a.start || b.end - a.end)) {
    if (edit.end > last || (edit.end === last && edit.start === edit.end)) continue
    out = out.slice(0, edit.start) + edit.text + out.slice(edit.end)
    last = edit.start
  }
  return out
}

function place(edit: Edit, document: Document): TextEdit | undefined {
  const { file, text } = document
  if (edit.kind === 'replace') {
    const found = findWord(document, edit.word)
    if (found === undefined) return undefined
    // A word that goes takes the blank before it along.
    const start = edit.text === '' ? found.start - /\s*$/.exec(text.slice(0, found.start))![0].length : found.start
    return { file, start, end: found.end, text: edit.text }
  }
  const directive = findDirective(document, edit.node.at)
  if (directive === undefined) return undefined
  if (edit.kind === 'words') {
    const { end } = directive.words.at(-1)!
    return { file, start: end, end, text: edit.text }
  }
  const lineStart = text.lastIndexOf('\n', directive.start - 1) + 1
  const indent = /^[ \t]*/.exec(text.slice(lineStart))![0]
  if (edit.kind === 'remove') return { file, ...wholeLine(text, directive, lineStart), text: '' }
  // Behind a comment in the same line, if there is one.
  const rest = /^[ \t]*#.*/.exec(text.slice(directive.end))?.[0] ?? ''
  const at = directive.end + rest.length
  const isAlone = text.slice(lineStart, directive.start).trim() === ''
  return { file, start: at, end: at, text: isAlone ? `\n${indent}${edit.text}` : ` ${edit.text}` }
}

/** A statement that is alone in its lines goes with them. */
function wholeLine(
  text: string,
  { start, end }: Directive,
  lineStart: number,
): { readonly start: number; readonly end: number } {
  const rest = /^[ \t]*\r?\n/.exec(text.slice(end))?.[0]
  if (rest === undefined || text.slice(lineStart, start).trim() !== '') return { start, end }
  return { start: lineStart, end: end + rest.length }
}

function* directives(items: readonly Item[]): Generator<Directive> {
  for (const item of items) {
    if (item.kind === 'comment') continue
    yield item
    if (item.block !== undefined) yield* directives(item.block)
  }
}

/** The statement that begins there. */
function findDirective({ items }: Document, { line, column }: Position): Directive | undefined {
  for (const one of directives(items)) {
    const { word } = one.words[0]!
    if (word.line === line && word.column === column) return one
  }
  return undefined
}

function findWord(
  { items }: Document,
  { line, column }: Position,
): { readonly start: number; readonly end: number } | undefined {
  for (const one of directives(items)) {
    const found = one.words.find(({ word }) => word.line === line && word.column === column)
    if (found !== undefined) return found
  }
  return undefined
}

/** Reads documents once. */
export function documents(textOf: (file: string) => string | undefined): (file: string) => Document | undefined {
  const known = new Map<string, Document | undefined>()
  return (file) => {
    if (!known.has(file)) {
      const text = textOf(file)
      known.set(file, text === undefined ? undefined : readDocument(text, file))
    }
    return known.get(file)
  }
}
