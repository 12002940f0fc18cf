/** `viaduct explain URL`: runs the real phases of a configuration on one request, and says what was decided where, and why. */

import type { Origin } from '../../cli/origin.ts'
import { formatPretty } from '../../config/format.ts'
import type { Position } from '../../config/source.ts'
import { traceTo } from '../../http/request/trace.ts'
import { toBinary } from '../../lib/bytes.ts'
import { parseIp } from '../../lib/ip.ts'
import { readable } from '../../lib/text.ts'
import { Paint } from '../frame/paint.ts'
import { CANNOT_RUN, type Console, FINE, FOUND, ToolFailure, tool } from '../frame/tool.ts'
import { TARGET_OPTIONS, targetOf } from '../target.ts'
import { directiveNames, directiveObject, directivePage, directivesCalled } from './directive.ts'
import { changesOf, changeText, factsOf } from './facts.ts'
import { compileForRequests } from './program.ts'
import { Recorder } from './recorder.ts'
import { type Report, reportOf } from './report.ts'
import { answer, type Question } from './run.ts'
import { FAILURES, readSupposition } from './supposition.ts'
import { textOf } from './text.ts'

const FOLLOWS_MAX = 10

/** The tool. */
export const explain = tool({
  name: 'explain',
  summary: 'says what becomes of a request, and which line decides it',
  usage: ['[-c nginx.conf] [OPTIONS] URL', '[--json] DIRECTIVE'],
  about:
    'Runs the phases of the configuration on one request and writes down what happens: which server and location and why,\n' +
    'rewrites, access rules, limits, files on the disk, what a back end is sent, what the response has and what it lost.\n' +
    'Nobody is contacted and nothing is written: back ends are supposed to answer 200, or what --status says.\n' +
    'The name of a directive in place of a URL says what that is for (a host of that name: http://map/).',
  options: {
    ...TARGET_OPTIONS,
    method: { type: 'string', short: 'X', value: 'METHOD', help: 'the method (GET)' },
    header: { type: 'string', short: 'H', value: "'NAME: VALUE'", multiple: true, help: 'a field of the request' },
    cookie: { type: 'string', short: 'b', value: "'NAME=VALUE'", help: 'the field Cookie' },
    from: { type: 'string', value: 'IP', help: 'address of the client (127.0.0.1)' },
    'body-size': { type: 'string', value: 'BYTES', help: 'size of the request body' },
    status: {
      type: 'string',
      value: 'CODE,...',
      choices: Object.keys(FAILURES),
      help: `what back ends answer, one attempt after the other (200): statuses, ${Object.keys(FAILURES).join(', ')}`,
    },
    'response-header': { type: 'string', value: "'NAME: VALUE'", multiple: true, help: 'a field of that answer' },
    'response-size': { type: 'string', value: 'BYTES', help: 'size of its body (1024)' },
    http2: { type: 'boolean', help: 'by HTTP/2' },
    tls: { type: 'boolean', help: 'by TLS: as if the URL began with https://' },
    follow: { type: 'boolean', short: 'L', help: 'follow redirects' },
    live: { type: 'boolean', help: 'do ask the back ends, and names of the resolver' },
    diff: { type: 'string', value: 'OLD', help: 'say only what is different from this configuration' },
    json: { type: 'boolean', help: 'the report as JSON' },
  },
  examples: [
    ['http://example.com/api/users', 'with the configuration that the server would take'],
    ['-c nginx.conf -X OPTIONS -H "Origin: https://a.com" http://api.example.com/', 'a preflight request'],
    ['--status 503 http://example.com/api/', 'what happens when the back end fails'],
    ['--status timeout,200 http://example.com/api/', 'when the first server is silent, and the second one answers'],
    ['-L http://example.com/old', 'where redirects lead'],
    ['proxy_next_upstream', 'what a directive is for, when to use it, how it differs from nginx'],
  ],
  words: directiveNames(),
  async run(values, words, console) {
    const [url, ...more] = words
    if (url === undefined || more.length > 0)
      throw new ToolFailure('it takes one URL, or the name of a directive', 'viaduct explain http://example.com/path')
    const directives = directivesCalled(url)
    if (directives.length > 0) {
      const json = values.json === true
      console.out(
        json
          ? `${JSON.stringify(directives.map(directiveObject), undefined, 2)}\n`
          : `${directives.map(directivePage).join('\n\n')}\n`,
      )
      return FINE
    }
    const origin = targetOf(values, [], console)
    let question = questionOf(url, values)
    if (values.diff !== undefined) return differences(values.diff, origin, question, values.json === true, console)
    const reports: Report[] = []
    const texts: string[] = []
    for (let i = 0; i <= FOLLOWS_MAX; i++) {
      const recorder = new Recorder()
      traceTo(recorder)
      const { program, diagnostics, textOf: fileText } = compileForRequests(origin)
      for (const found of diagnostics.all) {
        if (program === undefined || found.level !== 'notice')
          console.error(readable(`${formatPretty(found, fileText)}\n`))
      }
      if (program === undefined) return CANNOT_RUN
      const answered = await answer(program, question, recorder)
      const report = reportOf(answered, program.config)
      reports.push(report)
      const lineAt = ({ file, line }: Position): string => toBinary(fileText(file)?.split('\n')[line - 1] ?? '').trim()
      texts.push(textOf(report, new Paint(console.colours), console.folder, lineAt))
      const next = values.follow === true ? redirectOf(answered.head, question) : undefined
      if (next === undefined) break
      if (i === FOLLOWS_MAX) texts.push(`${FOLLOWS_MAX} redirects: it may never end\n`)
      question = next
    }
    show(reports, texts, values.json === true, console)
    const last = reports.at(-1)!
    return last.status >= 400 || last.status === 0 ? FOUND : FINE
  },
})

/** Of a place only where it is. */
function placesOnly(key: string, value: unknown): unknown {
  if (key !== 'at' || typeof value !== 'object' || value === null) return value
  const { file, line, column } = value as Position
  return { file, line, column }
}

/** What another configuration changes for the question. */
async function differences(
  old: string,
  origin: Origin,
  question: Question,
  json: boolean,
  console: Console,
): Promise<number> {
  const facts = []
  for (const each of [targetOf({ conf: old }, [], console), origin]) {
    const recorder = new Recorder()
    traceTo(recorder)
    const { program, diagnostics, textOf: fileText } = compileForRequests(each)
    if (program === undefined) {
      for (const found of diagnostics.all) console.error(readable(`${formatPretty(found, fileText)}\n`))
      return CANNOT_RUN
    }
    facts.push(factsOf(await answer(program, question, recorder)))
  }
  const changes = changesOf(facts[0]!, facts[1]!)
  const text = changes.length === 0 ? 'nothing changes' : changes.map(changeText).join('\n')
  console.out(readable(`${json ? JSON.stringify(changes, undefined, 2) : text}\n`))
  return changes.length === 0 ? FINE : FOUND
}

function show(reports: readonly Report[], texts: readonly string[], json: boolean, console: Console): void {
  console.out(
    readable(
      json ? `${JSON.stringify(reports.length === 1 ? reports[0] : reports, placesOnly, 2)}\n` : texts.join('\n'),
    ),
  )
}

interface QuestionValues {
  readonly method?: string | undefined
  readonly header?: string[] | undefined
  readonly cookie?: string | undefined
  readonly from?: string | undefined
  readonly 'body-size'?: string | undefined
  readonly status?: string | undefined
  readonly 'response-header'?: string[] | undefined
  readonly 'response-size'?: string | undefined
  readonly live?: boolean | undefined
  readonly http2?: boolean | undefined
  readonly tls?: boolean | undefined
}

const URL_FORM = /^(?:(https?):\/\/)?(\[[0-9a-f:.]+\]|[^/:?#\s]+)(?::(\d{1,5}))?([/?][^#\s]*)?(?:#.*)?$/i

/** The URL is not parsed by the WHATWG's rules, which would decode and tidy up its path: what is asked is what is sent. */
function questionOf(url: string, values: QuestionValues): Question {
  const parts = URL_FORM.exec(url)
  if (parts === null) throw new ToolFailure(`"${url}" is no URL of http or https`, 'http://example.com/path?arguments')
  const [, scheme = 'http', host = '', port, path = '/'] = parts
  const secure = scheme.toLowerCase() === 'https' || values.tls === true
  const from = values.from ?? '127.0.0.1'
  if (parseIp(from) === undefined) throw new ToolFailure(`--from takes an IP address, not "${from}"`)
  const cookie = values.cookie === undefined ? [] : [['Cookie', toBinary(values.cookie)] as const]
  return {
    secure,
    host: host.toLowerCase().replace(/^\[|\]$/g, ''),
    port: port === undefined ? (secure ? 443 : 80) : Number(port),
    target: toBinary(path.startsWith('?') ? `/${path}` : path),
    method: methodOf(values.method ?? 'GET'),
    fields: [...(values.header ?? []).map((text) => fieldOf(text, '-H')), ...cookie],
    from,
    http2: values.http2 === true,
    bodySize: numberOf(values['body-size'] ?? '0', '--body-size', 0, 2 ** 40),
    supposed:
      values.live === true
        ? undefined
        : readSupposition(values.status ?? '200', {
            fields: (values['response-header'] ?? []).map((text) => fieldOf(text, '--response-header')),
            body: Buffer.alloc(numberOf(values['response-size'] ?? '1024', '--response-size', 0, 2 ** 26), 'x'),
          }),
  }
}

function methodOf(text: string): string {
  if (!/^[A-Za-z_-]+$/.test(text)) throw new ToolFailure(`"${text}" is no method`)
  return text.toUpperCase()
}

function fieldOf(text: string, option: string): readonly [string, string] {
  const match = /^([^:\s]+):[ \t]*([^\r\n\0]*)$/.exec(text)
  if (match === null) throw new ToolFailure(`${option} takes "Name: value", not "${text}"`)
  return [match[1]!, toBinary(match[2]!)]
}

function numberOf(text: string, option: string, min: number, max: number): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < min || number > max) {
    throw new ToolFailure(`${option} takes a number from ${min} to ${max}, not "${text}"`)
  }
  return number
}

/** The question that a redirect makes a client ask. */
function redirectOf(head: string, before: Question): Question | undefined {
  const status = Number(/^HTTP\/[\d.]+ (3\d\d)/.exec(head)?.[1] ?? 0)
  const location = /^Location: (.*?)\r?$/im.exec(head)?.[1]
  if (status === 304 || status === 0 || location === undefined) return undefined
  const base = `${before.secure ? 'https' : 'http'}://${before.host}:${before.port}`
  const url = location.startsWith('/') ? base + location : location
  if (!URL_FORM.test(url)) return undefined
  const next = questionOf(url, {})
  const { fields, from, supposed, http2 } = before
  const asked =
    status === 307 || status === 308 ? before : { method: before.method === 'HEAD' ? 'HEAD' : 'GET', bodySize: 0 }
  return { ...next, fields, from, supposed, http2, method: asked.method, bodySize: asked.bodySize }
}
