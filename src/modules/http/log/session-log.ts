/**
 * ngx_http_session_log_module of NGINX Plus: one line for all requests of a session. The line is that of the first request;
 * `$body_bytes_sent` in it is what all of them got together. It is written when no request has come for `timeout`, when
 * others need the room, or when the worker that looks after it ends.
 */
import { createHash } from 'node:crypto'
import { text } from '../../../config/args.ts'
import { type Args, type Context, directive, directives } from '../../../config/directive.ts'
import type { Position } from '../../../config/source.ts'
import { parseSeconds, parseSize } from '../../../config/units.ts'
import { type HttpTree, httpModule } from '../../../http/compile/module.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { defineSetting } from '../../../http/request/slots.ts'
import { clock } from '../../../lib/clock.ts'
import { type AccessLog, openAccessLog } from '../../../log/access-log.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from '../../../net/timer-wheel.ts'
import { LogSessions } from '../../../shared/log-sessions.ts'
import { Zone } from '../../../shared/zone.ts'
import { parseTemplate, readTemplate, type Template } from '../../../value/template.ts'
import { compileFormat, type Format, formatOf, logFormat } from './format.ts'
import { splitOnce } from './target.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']
const TAG = 'session_log'
const ZONES = 'session_log zones'
const TIMEOUT_S = 30
const CHECK_MS = 1000
/** Sessions that are written at one look, so that many do not keep requests waiting. */
const WRITTEN_MAX = 1000
/** Sessions that make room for a new one. */
const PUSHED_OUT_MAX = 64
/** Stands in kept lines where the bytes will be; no value has it. */
const BYTES_MARK = '\0'
const MD5_TEXT = /^[\da-fA-F]{32}$/
const CLIENT = '$binary_remote_addr$http_user_agent'

interface ZoneLine {
  readonly path: string
  readonly name: string
  readonly size: number
  readonly format: string
  readonly timeoutS: number
  readonly id: Template | undefined
  readonly md5: Template
  readonly at: Position
}

const zoneLine: Args<ZoneLine> = {
  syntax: 'path zone=name:size [format=format] [timeout=time] [id=id] [md5=md5]',
  min: 2,
  max: 6,
  read([path, ...rest], at) {
    const line = { path: path!.text, name: '', size: 0, format: 'combined', timeoutS: TIMEOUT_S, at: at.end }
    let id: Template | undefined
    let md5 = parseTemplate(CLIENT, (message) => at.fail(message))
    for (const one of rest) {
      const [name, value = ''] = splitOnce(one.text)
      if (name === 'zone') {
        const colon = value.indexOf(':')
        line.name = value.slice(0, Math.max(colon, 0))
        line.size = parseSize(value.slice(colon + 1)) ?? 0
        if (line.name === '' || line.size === 0) at.fail(`invalid zone size "${value}"`, one)
        if (line.size < 8 * 4096) at.fail(`zone "${line.name}" is too small`, one, 'the least is 32k')
      } else if (name === 'format') line.format = value
      else if (name === 'timeout') {
        line.timeoutS = parseSeconds(value) ?? 0
        if (line.timeoutS === 0) at.fail(`invalid timeout "${value}"`, one)
      } else if (name === 'id') id = readTemplate({ ...one, text: value }, at)
      else if (name === 'md5') md5 = readTemplate({ ...one, text: value }, at)
      else at.fail(`invalid parameter "${one.text}"`, one)
    }
    if (line.name === '') at.fail(`"${at.directive.text}" must have "zone" parameter`)
    return { ...line, id, md5 }
  },
}

const declared = {
  session_log: directive({
    in: HSL,
    args: text('name | off'),
    default: 'off',
    doc: 'The zone that sessions are kept in.',
  }),
  session_log_format: directives({
    in: ['http'],
    args: { ...logFormat, syntax: 'name string ...' },
    doc: 'The form of the lines; `$body_bytes_sent` is the sum of all requests, the rest is that of the first.',
  }),
  session_log_zone: directives({
    in: ['http'],
    args: zoneLine,
    doc:
      'Keeps sessions until `timeout` after their last request (30 seconds), and writes them to a file. A session is known by ' +
      '`id`, 32 hexadecimal digits, or else by the MD5 digest of `md5` (address and browser of the client).',
  }),
}

/** The location's; undefined where sessions are not logged. */
const SESSIONS = defineSetting<SessionLog | undefined>(undefined)

/** The module list's entry. */
export const sessionLogModule = httpModule({
  name: 'http_session_log',
  doc: 'A line for each session.',
  directives: declared,
  variables: {
    session_log_id: (r) => {
      const id = r.location.get(SESSIONS)?.idOf(r)
      return id && Buffer.from(id, 'latin1').toString('hex')
    },
    session_log_binary_id: (r) => r.location.get(SESSIONS)?.idOf(r),
  },
  init({ session_log_zone: zones, session_log_format: formats }, tree) {
    const logs = zonesOf(tree)
    for (const line of zones) {
      if (logs.has(line.name)) tree.fail(`duplicate session_log_zone "${line.name}"`, line.at)
      else logs.set(line.name, new SessionLog(line, formats, tree))
    }
  },
  attach({ session_log: name }, plan, at) {
    if (name === 'off') return
    const log = zonesOf(at).get(name)
    if (log === undefined) return at.fail(`unknown session log "${name}"`, at.scope.positionOf(declared.session_log))
    at.location.set(SESSIONS, log)
    plan.log(count, log)
  },
})

function zonesOf(tree: HttpTree): Map<string, SessionLog> {
  return tree.shared(ZONES, () => new Map<string, SessionLog>())
}

function count(r: Request, log: SessionLog): void {
  log.add(r)
}

/** Who writes the sessions of a zone, by its id, in this thread: the log of the last configuration that has it. */
const keepers = new Map<number, SessionLog>()

/** One zone with its file, as one worker sees it. */
class SessionLog implements TimerOwner {
  readonly #timeoutS: number
  #line: Text = () => ''
  #id: Text | undefined
  #md5: Text = () => ''
  #sessions: LogSessions | undefined
  #zoneId = 0
  #file: AccessLog | undefined
  readonly #timer = new Timer(this)

  constructor(line: ZoneLine, formats: readonly Format[], tree: HttpTree) {
    this.#timeoutS = line.timeoutS
    const path = tree.prefixed(line.path)
    tree.logFile(path)
    const buffer = tree.zone(line.name, line.size, TAG, line.at)
    tree.afterAttach(() => {
      const format = formatOf(line.format, formats, tree, line.at)
      if (format !== undefined) this.#line = compileFormat(marked(format), tree)
      this.#id = line.id && tree.text(line.id)
      this.#md5 = tree.text(line.md5)
    })
    const zone = buffer && Zone.attach(line.name, buffer, TAG)
    if (zone === undefined || tree.role !== 'worker') return
    this.#sessions = new LogSessions(zone)
    this.#file = openAccessLog({ path, bufferSize: 0, flushMs: 0, gzipLevel: 0 }, tree.files, tree.log)
    this.#zoneId = zone.id
    tree.onStart(() => {
      keepers.set(zone.id, this)
      setTimer(this.#timer, CHECK_MS)
    })
    tree.onExit(() => this.#leave())
  }

  /** Another configuration takes its place, or the worker ends: what nobody of this thread keeps any more is written. */
  #leave(): void {
    cancelTimer(this.#timer)
    if (keepers.get(this.#zoneId) !== this) return
    keepers.delete(this.#zoneId)
    this.#writeEnded(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
  }

  /** The session that a request belongs to: 16 bytes, binary. */
  idOf(r: Request): string {
    const given = this.#id?.(r) ?? ''
    if (MD5_TEXT.test(given)) return Buffer.from(given, 'hex').latin1Slice()
    return createHash('md5').update(this.#md5(r), 'latin1').digest().latin1Slice()
  }

  add(r: Request): void {
    const sessions = this.#sessions
    if (sessions === undefined) return
    const id = this.idOf(r)
    const now = clock.seconds
    const bytes = r.bodyBytesSent
    if (sessions.extend(id, now, this.#timeoutS, bytes)) return
    this.#write(sessions.takeById(id, now - this.#timeoutS))
    const line = this.#line(r)
    // A request of a configuration whose zone no other has taken over: nobody would write the session.
    if (!keepers.has(this.#zoneId)) return this.#write({ line, bytes })
    for (let n = 0; n < PUSHED_OUT_MAX; n++) {
      // Another worker may have begun it meanwhile.
      if (sessions.begin(id, line, now, bytes) || sessions.extend(id, now, this.#timeoutS, bytes)) return
      this.#write(sessions.take(Number.POSITIVE_INFINITY))
    }
    this.#write({ line, bytes })
  }

  onTimeout(): void {
    this.#writeEnded(clock.seconds - this.#timeoutS, WRITTEN_MAX)
    setTimer(this.#timer, CHECK_MS)
  }

  #writeEnded(before: number, max: number): void {
    for (let n = 0; n < max; n++) {
      const ended = this.#sessions?.take(before)
      if (ended === undefined) return
      this.#write(ended)
    }
  }

  #write(ended: { readonly line: string; readonly bytes: number } | undefined): void {
    if (ended !== undefined && ended.line !== '')
      this.#file?.write(ended.line.replaceAll(BYTES_MARK, String(ended.bytes)))
  }
}

/** The format with a mark in the place of what is not known before the session ends. */
function marked(format: Format): Format {
  const parts = format.parts.map((part) => {
    const isBytes = typeof part === 'object' && 'variable' in part && part.variable.toLowerCase() === 'body_bytes_sent'
    return isBytes ? BYTES_MARK : part
  })
  return { ...format, name: `session ${format.name}`, parts }
}
