/**
 * The plain forms of OpenResty's ngx_http_echo_module: a location that answers with what it is told, for tests and health
 * endpoints. What sleeps, or asks other locations, is not here; `mirror`, SSI and `auth_request` do that.
 */
import { none, number } from '../../config/args.ts'
import { type Args, directive, directives } from '../../config/directive.ts'
import { parseNumber } from '../../config/units.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import type { Verdict } from '../../http/request/verdict.ts'
import { sendText } from '../../http/response/send-text.ts'
import { clock } from '../../lib/clock.ts'
import { secondsText } from '../../lib/seconds.ts'
import { readTemplate, type Template } from '../../value/template.ts'

const LI = ['location', 'if'] as const
/** Bytes that `echo_duplicate` may make of one text. */
const DUPLICATES_MAX = 16 * 1024 * 1024

/** Texts, and how often they are written. */
interface Line {
  readonly texts: readonly Template[]
  readonly times: number
  /** What stands behind them. */
  readonly end: string
}

const echoArgs: Args<Line> = {
  syntax: '[-n] string ...',
  min: 0,
  max: Number.POSITIVE_INFINITY,
  read(words, at) {
    const noEnd = words[0]?.text === '-n' && !words[0].quoted
    // `--` ends the options: a text may begin with a dash.
    const given = noEnd || words[0]?.text === '--' ? words.slice(1) : words
    return { texts: given.map((word) => readTemplate(word, at)), times: 1, end: noEnd ? '' : '\n' }
  },
}

const duplicateArgs: Args<Line> = {
  syntax: 'count string',
  min: 2,
  max: 2,
  read([count, text], at) {
    const times = parseNumber(count!.text)
    if (times === undefined) return at.fail(`invalid size specified: "${count!.text}"`, count)
    if (times * Math.max(1, text!.text.length) > DUPLICATES_MAX) at.fail(`more than ${DUPLICATES_MAX} bytes`, count)
    return { texts: [readTemplate(text!, at)], times, end: '' }
  },
}

const own = {
  echo: directives({ in: LI, args: echoArgs, doc: 'Writes texts, with a space between them and a line end behind.' }),
  echo_duplicate: directives({ in: LI, args: duplicateArgs, doc: 'Writes a text that many times.' }),
  echo_request_body: directives({
    in: LI,
    args: none,
    doc: 'Writes the body of the request, as far as it is in memory.',
  }),
}
const others = {
  echo_status: directive({
    in: LI,
    args: number('status', { min: 100, max: 999 }),
    default: '200',
    doc: 'The status of the response.',
  }),
  echo_read_request_body: directive({ in: LI, args: none, doc: 'Reads the body of the request first.' }),
  echo_flush: directive({
    in: LI,
    args: none,
    doc: 'Sends what was written so far.',
    withoutEffect: 'the whole text is sent at once',
  }),
}

interface Piece {
  readonly texts: readonly Text[]
  readonly times: number
  readonly end: string
}

interface EchoConf {
  readonly status: number
  readonly readsBody: boolean
  readonly pieces: readonly Piece[]
}

/** The module list's entry. */
export const echoModule = httpModule({
  name: 'http_echo',
  doc: 'Answers with given texts.',
  directives: { ...own, ...others },
  variables: {
    echo_request_method: (r) => r.method,
    echo_request_uri: (r) => r.uri,
    echo_client_request_method: (r) => r.main.method,
    echo_response_status: (r) => (r.out.status === 0 ? '' : String(r.out.status)),
    echo_timer_elapsed: (r) => secondsText(clock.monotonic - r.main.startMonotonic),
    echo_client_request_headers: (r) => headText(r.main),
  },
  attach(conf, plan, at) {
    const lines = at.scope.ordered(own)
    if (lines.length === 0) return
    const body = at.variable('request_body')
    const pieces = lines.map(({ name, value }): Piece => {
      if (name === 'echo_request_body') return { texts: [(r) => body(r) ?? ''], times: 1, end: '' }
      const { texts, times, end } = value
      return { texts: texts.map((text) => at.text(text)), times, end }
    })
    plan.own(answer, { status: conf.echo_status, readsBody: conf.echo_read_request_body === true, pieces })
  },
})

function answer(r: Request, conf: EchoConf): Verdict {
  // One closure per request that has a body to read.
  return conf.readsBody ? r.readBody(() => write(r, conf)) : write(r, conf)
}

function write(r: Request, { status, pieces }: EchoConf): Verdict {
  let all = ''
  for (let i = 0; i < pieces.length; i++) {
    const { texts, times, end } = pieces[i]!
    let line = ''
    for (let j = 0; j < texts.length; j++) line += (j === 0 ? '' : ' ') + texts[j]!(r)
    all += (times === 1 ? line : line.repeat(times)) + end
  }
  return sendText(r, status, all)
}

/** The head as the client sent it: request line and fields. */
function headText(r: Request): string {
  let text = r.requestLine + '\r\n'
  const { headers } = r
  for (let i = 0; i < headers.count; i++) {
    if (!headers.hidden(i)) text += headers.name(i) + ': ' + headers.value(i) + '\r\n'
  }
  return text + '\r\n'
}
