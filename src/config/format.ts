/** Diagnostics as text: nginx's one-line form, and a form for people with the source line and a caret. */
import { toBinary } from '../lib/bytes.ts'
import type { Diagnostic } from './diagnostics.ts'
import { COMMAND_LINE, type Position } from './source.ts'

/** `MESSAGE in FILE:LINE`, the way nginx's configuration errors read. */
export function formatMessage(d: Diagnostic): string {
  if (d.at === undefined) return d.message
  return `${d.message} in ${place(d.at)}`
}

/** `PROGRAM: [emerg] MESSAGE in FILE:LINE`, as nginx prints before it has an error log. */
export function formatPlain(d: Diagnostic, program = 'nginx'): string {
  return `${program}: [${d.level}] ${formatMessage(d)}`
}

/**
 * The message with an excerpt of its file, as a binary string; `textOf` returns the decoded text of a file, if it is at
 * hand: a column is one of characters.
 */
export function formatPretty(d: Diagnostic, textOf: (file: string) => string | undefined): string {
  const lines = [`[${d.level}] ${formatMessage(d)}`]
  const shown = d.shown ?? d.at
  const source = shown && textOf(shown.file)?.split('\n')[shown.line - 1]
  if (shown !== undefined && source !== undefined) {
    const number = String(shown.line)
    const margin = ' '.repeat(number.length)
    const line = toBinary(source.replace(/\r$/, '').replaceAll('\t', ' '))
    lines.push(` ${margin} |`, ` ${number} | ${line}`, ` ${margin} | ${' '.repeat(shown.column - 1)}^`)
  }
  if (d.hint !== undefined) lines.push(`  hint: ${d.hint}`)
  return lines.join('\n')
}

function place(at: Position): string {
  return at.file === COMMAND_LINE ? 'command line' : `${at.file}:${at.line}`
}
