/**
 * `syslog:server=...,facility=...,severity=...,tag=...,nohostname`: its parameters with nginx's errors, and the messages,
 * in the form of RFC 3164 that nginx sends:
 *
 *     <187>Nov  2 04:27:41 host nginx: 2026/11/02 04:27:41 [error] 812#812: *7 ...
 */
import { hostname } from 'node:os'
import { bytesOf } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'
import { errnoText } from '../lib/errno.ts'
import type { AccessLog } from './access-log.ts'
import { Complaints } from './complaints.ts'
import { ERROR, type ErrorLog, type LogTarget } from './error-log.ts'
import { relayProblem, type SyslogSender, type SyslogServer, senderFor } from './syslog-senders.ts'

const FACILITIES =
  'kern user mail daemon auth intern lpr news uucp clock authpriv ftp ntp audit alert cron local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  )
const SEVERITIES = ['emerg', 'alert', 'crit', 'error', 'warn', 'notice', 'info', 'debug']
const LOCAL7 = 23
const INFO_SEVERITY = 6
const DEFAULT_PORT = 514
const TAG_SIZE_MAX = 32
const UNIX_PATH_SIZE_MAX = 107
/** As in nginx: a longer message is cut. */
const MESSAGE_SIZE_MAX = 2048

/** The parameters after `syslog:`, read. */
export interface SyslogSpec {
  readonly server: SyslogServer
  readonly facility: number
  /** For access logs; messages of the error log carry their own level. */
  readonly severity: number
  readonly tag: string
  readonly hostname: boolean
}

/** Reads the whole parameter, `syslog:` included. Returns nginx's error text when it is wrong. */
export function parseSyslog(text: string): SyslogSpec | string {
  const found = new Parameters()
  for (const parameter of text.slice('syslog:'.length).split(',')) {
    const problem = found.take(parameter)
    if (problem !== undefined) return problem
  }
  if (found.server === undefined) return 'no syslog server specified'
  return {
    server: found.server,
    facility: found.facility ?? LOCAL7,
    severity: found.severity ?? INFO_SEVERITY,
    tag: found.tag ?? 'nginx',
    hostname: found.hostname,
  }
}

/** An error-log target, and an access log, that sends each line as one message. Loses messages rather than wait. */
export class SyslogLog implements LogTarget, AccessLog {
  readonly #spec: SyslogSpec
  readonly #sender: SyslogSender
  readonly #origin: string
  readonly #log: ErrorLog | undefined
  readonly #onFailure = (error: unknown): void => this.#complain(error)
  readonly #complaints = new Complaints()

  /** `log` hears of messages that could not be sent. */
  constructor(spec: SyslogSpec, log?: ErrorLog) {
    this.#spec = spec
    this.#log = log
    this.#sender = senderFor(spec.server)
    this.#origin = (spec.hostname ? hostname().toLowerCase() + ' ' : '') + spec.tag + ': '
  }

  /** Sends a line of the error log; nginx's levels are syslog's severities plus one. */
  writeLine(level: number, line: string): void {
    this.#send(level - 1, line)
  }

  /** Sends a line of an access log. */
  write(line: string): void {
    this.#send(this.#spec.severity, line)
  }

  flush(): void {}

  #send(severity: number, line: string): void {
    const priority = this.#spec.facility * 8 + severity
    const text = line.endsWith('\n') ? line.slice(0, -1) : line
    const message = bytesOf(`<${priority}>${clock.syslogTime} ${this.#origin}${text}`)
    this.#sender.send(message.subarray(0, MESSAGE_SIZE_MAX), this.#onFailure)
  }

  #complain(error: unknown): void {
    if (this.#log === undefined || !this.#complaints.isDue()) return
    const { host, port } = this.#spec.server
    const server = port === 0 ? `unix:${host}` : `${host.includes(':') ? `[${host}]` : host}:${port}`
    this.#log.write(ERROR, `send() failed ${errnoText(error)} while logging to syslog, server: ${server}`)
  }
}

class Parameters {
  server: SyslogServer | undefined = undefined
  facility: number | undefined = undefined
  severity: number | undefined = undefined
  tag: string | undefined = undefined
  hostname = true

  /** Takes one parameter, or returns what is wrong with it. */
  take(parameter: string): string | undefined {
    const equals = parameter.indexOf('=')
    const value = parameter.slice(equals + 1)
    switch (parameter.slice(0, equals + 1)) {
      case 'server=':
        return this.#takeServer(value)
      case 'facility=':
        if (this.facility !== undefined) return 'duplicate syslog "facility"'
        this.facility = FACILITIES.indexOf(value)
        return this.facility < 0 ? `unknown syslog facility "${value}"` : undefined
      case 'severity=':
        if (this.severity !== undefined) return 'duplicate syslog "severity"'
        this.severity = SEVERITIES.indexOf(value)
        return this.severity < 0 ? `unknown syslog severity "${value}"` : undefined
      case 'tag=':
        return this.#takeTag(value)
      default:
        if (parameter !== 'nohostname') return `unknown syslog parameter "${parameter}"`
        this.hostname = false
        return undefined
    }
  }

  #takeTag(value: string): string | undefined {
    if (this.tag !== undefined) return 'duplicate syslog "tag"'
    if (value.length > TAG_SIZE_MAX) return 'syslog tag length exceeds 32'
    if (/[^A-Za-z0-9_]/.test(value)) return 'syslog "tag" only allows alphanumeric characters and underscore'
    this.tag = value
    return undefined
  }

  #takeServer(value: string): string | undefined {
    if (this.server !== undefined) return 'duplicate syslog "server"'
    const server = parseServer(value)
    if (typeof server === 'string') return `${server} in syslog server "${value}"`
    this.server = server
    return undefined
  }
}

function parseServer(text: string): SyslogServer | string {
  if (text.toLowerCase().startsWith('unix:')) {
    const path = text.slice('unix:'.length)
    if (path === '') return 'no path in the unix domain socket'
    if (path.length > UNIX_PATH_SIZE_MAX) return 'too long path in the unix domain socket'
    return relayProblem() ?? { host: path, port: 0 }
  }
  const found = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text)
  if (found === null) return 'invalid host'
  const host = found[1] ?? found[2]!
  if (host === '') return 'no host'
  if (found[3] === undefined) return { host, port: DEFAULT_PORT }
  const port = /^\d{1,5}$/.test(found[3]) ? Number(found[3]) : 0
  return port < 1 || port > 65535 ? 'invalid port' : { host, port }
}
