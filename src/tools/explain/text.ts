/** A report as text: a sentence that answers, then the way there with the places in the configuration on the right. */
import path from 'node:path'
import type { Position } from '../../config/source.ts'
import type { Paint } from '../frame/paint.ts'
import type { Line, Report } from './report.ts'

const TITLE_WIDTH = 11
const TEXT_WIDTH = 62

/** Writes a report; places are shown relative to `folder` where that is shorter. */
export function textOf(report: Report, paint: Paint, folder: string, lineAt: (at: Position) => string): string {
  const { request, outcome, cause, sections, status, advice } = report
  const good = status > 0 && status < 400
  const lines = [`${paint.bold(request)} => ${paint.of(good ? 'green' : 'red', outcome)}`]
  if (cause !== undefined) {
    const place = cause.at === undefined ? '' : ` (${placeOf(cause.at, folder)}: ${lineAt(cause.at)})`
    lines.push(`  because: ${paint.bold(printable(cause.text))}${paint.dim(place)}`)
  }
  for (const { text, at } of advice) {
    const place = at === undefined ? '' : ` (${placeOf(at, folder)})`
    lines.push(`  note: ${paint.of('yellow', printable(text))}${paint.dim(place)}`)
  }
  for (const { title, lines: inner } of sections) {
    lines.push('')
    inner.forEach((line, i) => {
      lines.push(lineOf(i === 0 ? title : '', line, paint, folder))
    })
  }
  return `${lines.join('\n')}\n`
}

function lineOf(title: string, { text, at, inner = false, weight }: Line, paint: Paint, folder: string): string {
  const shown = `${inner ? '  ' : ''}${weight === 'warning' ? '! ' : ''}${printable(text)}`
  const colour = weight === 'warning' ? paint.of('yellow', shown) : weight === 'cause' ? paint.of('red', shown) : shown
  const place =
    at === undefined ? '' : `${' '.repeat(Math.max(2, TEXT_WIDTH - shown.length))}${paint.dim(placeOf(at, folder))}`
  return `${paint.bold(title.padEnd(TITLE_WIDTH))} ${colour}${place}`.trimEnd()
}

function placeOf({ file, line }: Position, folder: string): string {
  const relative = path.relative(folder, file)
  return `${relative.length < file.length && relative !== '' ? relative : file}:${line}`
}

/** Terminals are not to be told anything. */
function printable(text: string): string {
  return text.replaceAll(/[\0-\x1f\x7f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
