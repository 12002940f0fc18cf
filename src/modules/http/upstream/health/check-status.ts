/** The page of `check_status`: all servers that are checked, as HTML, CSV or JSON, in the forms of the original. */
import { GET, HEAD } from '../../../../http/message/method.ts'
import type { Request } from '../../../../http/request/request.ts'
import type { Verdict } from '../../../../http/request/verdict.ts'
import { sendBytes } from '../../../../http/response/send-text.ts'
import type { HealthChecks } from '../../../../upstream/health.ts'
import { HEALTHY } from '../../../../upstream/peer-row.ts'

/** How the page is written. */
export type StatusFormat = 'html' | 'csv' | 'json'

/** One server. */
interface Row {
  readonly upstream: string
  readonly name: string
  readonly status: 'up' | 'down'
  readonly rise: number
  readonly fall: number
  readonly type: string
  readonly port: number
}

const FORMATS: Readonly<Record<StatusFormat, { readonly type: string; write(rows: readonly Row[]): string }>> = {
  html: { type: 'text/html', write: html },
  csv: { type: 'text/plain', write: csv },
  json: { type: 'application/json', write: json },
}

/** Sends the page; `?format=` and `?status=up|down` choose. */
export function sendCheckStatus(
  r: Request,
  conf: { readonly checks: HealthChecks; readonly format: StatusFormat },
): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0) return 405
  const { type, write } = FORMATS[formatOf(argument(r.args, 'format')) ?? conf.format]
  const wanted = argument(r.args, 'status')
  const rows = rowsOf(conf.checks).filter(({ status }) => (wanted !== 'up' && wanted !== 'down') || status === wanted)
  return sendBytes(r, 200, Buffer.from(write(rows), 'latin1'), type)
}

function formatOf(name: string): StatusFormat | undefined {
  return name === 'html' || name === 'csv' || name === 'json' ? name : undefined
}

function argument(args: string, name: string): string {
  for (const pair of args.split('&')) if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1)
  return ''
}

function rowsOf(checks: HealthChecks): Row[] {
  const rows: Row[] = []
  for (const { group, checks: list, peers } of checks.groups) {
    const { type, port } = list[0]!.options
    for (const peer of peers) {
      rows.push({
        upstream: group.name,
        name: peer.address.name,
        status: peer.health === HEALTHY ? 'up' : 'down',
        rise: peer.rises,
        fall: peer.falls,
        type,
        port,
      })
    }
  }
  return rows
}

function csv(rows: readonly Row[]): string {
  return rows
    .map((row, i) => [i, row.upstream, row.name, row.status, row.rise, row.fall, row.type, row.port].join(',') + '\n')
    .join('')
}

function json(rows: readonly Row[]): string {
  const servers = rows.map((row, index) => `    ${JSON.stringify({ index, ...row })}`)
  return (
    `{"servers": {\n  "total": ${rows.length},\n  "generation": 1,\n  "server": [\n` +
    `${servers.join(',\n')}${rows.length > 0 ? '\n' : ''}  ]\n}}\n`
  )
}

const HEADINGS = ['Index', 'Upstream', 'Name', 'Status', 'Rise counts', 'Fall counts', 'Check type', 'Check port']

function html(rows: readonly Row[]): string {
  const up = rows.filter(({ status }) => status === 'up').length
  const lines = rows.map((row, i) => {
    const cells = [i, row.upstream, row.name, row.status, row.rise, row.fall, row.type, row.port]
    const color = row.status === 'down' ? ' bgcolor="#FF0000"' : ''
    return `    <tr${color}>${cells.map((cell) => `<td>${escapeHtml(String(cell))}</td>`).join('')}</tr>\n`
  })
  return (
    '<!DOCTYPE html>\n<html>\n<head>\n  <title>Upstream check status</title>\n</head>\n<body>\n' +
    '  <h1>Upstream check status</h1>\n' +
    `  <h2>Check upstream server number: ${rows.length}, up: ${up}, down: ${rows.length - up}</h2>\n` +
    `  <table border="1">\n    <tr>${HEADINGS.map((name) => `<th>${name}</th>`).join('')}</tr>\n` +
    `${lines.join('')}  </table>\n</body>\n</html>\n`
  )
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
