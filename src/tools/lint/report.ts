/** Findings as text for people, and in the formats that other programs read. */
import path from 'node:path'
import { VERSION } from '../../lib/version.ts'
import { Paint } from '../frame/paint.ts'
import { CHECKS } from './all.ts'
import type { Check, Finding, Level } from './check.ts'

const COLOURS = { high: 'red', medium: 'yellow', low: 'cyan', info: 'dim' } as const
const PAGE = 'https://github.com/viaduct/viaduct/blob/main/docs/reference/lint.md'

/** What a report needs beside the findings. */
interface ReportSetting {
  readonly folder: string
  readonly colours: boolean
  textOf(file: string): string | undefined
}

/** The formats by name. */
export const FORMATS = { text, json, sarif, github } as const

function shorten(file: string, folder: string): string {
  const relative = path.relative(folder, file)
  return relative.startsWith('..') ? file : relative
}

function text(findings: readonly Finding[], { folder, colours, textOf }: ReportSetting): string {
  const paint = new Paint(colours)
  const out: string[] = []
  for (const { check, level, message, at, end, fix } of findings) {
    const where = at === undefined ? '' : `${shorten(at.file, folder)}:${at.line}:${at.column}: `
    out.push(`${paint.bold(where)}${paint.of(COLOURS[level], level)}: ${message} [${check.id}]`)
    const source = at && textOf(at.file)?.split('\n')[at.line - 1]
    if (at !== undefined && source !== undefined) {
      const margin = ' '.repeat(String(at.line).length)
      const marks = '^'.repeat(Math.max(1, Math.min((end ?? at.column + 1) - at.column, source.length - at.column + 1)))
      const line = source.replace(/\r$/, '').replaceAll('\t', ' ')
      out.push(
        paint.dim(` ${at.line} | `) + line,
        paint.dim(` ${margin} | `) + ' '.repeat(at.column - 1) + paint.of(COLOURS[level], marks),
      )
    }
    if (check.find.length > 0) out.push(paint.dim(`  why: ${check.why}`), paint.dim(`  do:  ${check.advice}`))
    if (fix !== undefined) out.push(paint.dim(`  --fix: ${fix.what}`))
    out.push('')
  }
  return `${[...out, summary(findings)].join('\n')}\n`
}

function summary(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'nothing found'
  const count = (level: Level): number => findings.filter((finding) => finding.level === level).length
  const parts = (['high', 'medium', 'low', 'info'] as const).flatMap((level) =>
    count(level) === 0 ? [] : [`${count(level)} ${level}`],
  )
  return `${findings.length} found: ${parts.join(', ')}`
}

/** As Gixy-Next writes it. */
function json(findings: readonly Finding[], { folder }: ReportSetting): string {
  const list = findings.map(({ check, level, message, at, node, fix, fingerprint }) => ({
    plugin: check.id,
    severity: level === 'info' ? 'UNSPECIFIED' : level.toUpperCase(),
    level,
    summary: check.title,
    description: check.why,
    reason: message,
    recommendation: check.advice,
    reference: pageOf(check),
    path: at === undefined ? '' : shorten(at.file, folder),
    file: at === undefined ? '' : shorten(at.file, folder),
    line: at?.line ?? 0,
    column: at?.column ?? 0,
    config: node?.text ?? '',
    ...(fix === undefined ? {} : { fix: fix.what }),
    fingerprint,
  }))
  return `${JSON.stringify(list, undefined, 2)}\n`
}

/** Where a check is explained. */
export function pageOf({ id }: Check): string {
  return `${PAGE}#${id}`
}

const SARIF_LEVELS = { high: 'error', medium: 'warning', low: 'note', info: 'note' } as const
const SEVERITY = { high: '8.0', medium: '5.0', low: '3.0', info: '1.0' } as const

function sarif(findings: readonly Finding[], { folder }: ReportSetting): string {
  const used = CHECKS.filter((check) => findings.some((finding) => finding.check.id === check.id))
  const rules = used.map((check) => ({
    id: check.id,
    name: check.id,
    shortDescription: { text: check.title },
    fullDescription: { text: check.why },
    helpUri: pageOf(check),
    help: { text: check.advice, markdown: `${check.why}\n\n${check.advice}` },
    defaultConfiguration: { level: SARIF_LEVELS[check.level] },
    properties: { precision: 'high', 'security-severity': SEVERITY[check.level], tags: ['security', 'nginx'] },
  }))
  const results = findings.map(({ check, level, message, at, end, fingerprint }) => ({
    ruleId: check.id,
    ruleIndex: used.indexOf(check),
    level: SARIF_LEVELS[level],
    message: { text: message },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: at === undefined ? 'nginx.conf' : encodeURI(shorten(at.file, folder)) },
          region: {
            startLine: at?.line ?? 1,
            startColumn: at?.column ?? 1,
            ...(end === undefined ? {} : { endColumn: end }),
          },
        },
      },
    ],
    partialFingerprints: { primaryLocationLineHash: fingerprint },
  }))
  const driver = { name: 'viaduct lint', semanticVersion: VERSION, informationUri: PAGE, rules }
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver }, results }],
  }
  return `${JSON.stringify(log, undefined, 2)}\n`
}

/** Annotations of a workflow. */
function github(findings: readonly Finding[], { folder }: ReportSetting): string {
  const commands = { high: 'error', medium: 'warning', low: 'notice', info: 'notice' } as const
  const plain = (value: string): string => value.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
  const property = (value: string): string => plain(value).replaceAll(':', '%3A').replaceAll(',', '%2C')
  return findings
    .map(({ check, level, message, at, end }) => {
      const place =
        at === undefined
          ? ''
          : `file=${property(shorten(at.file, folder))},line=${at.line},col=${at.column},${end === undefined ? '' : `endColumn=${end},`}`
      return `::${commands[level]} ${place}title=${property(check.id)}::${plain(`${message}. ${check.advice}`)}\n`
    })
    .join('')
}
