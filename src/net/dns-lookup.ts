/**
 * One name being asked for: the queries on their way, sent again every few seconds to the next server in turn, and over
 * TCP when an answer was cut short. Answers are checked against the questions (id, name, type) before the owner sees
 * them; which of several servers answered does not matter, as in nginx.
 */
import { randomInt } from 'node:crypto'
import { ERROR, type ErrorLog } from '../log/error-log.ts'
import { type Channel, type ChannelOwner, type NameServer, TcpChannel, UdpChannel } from './dns-channel.ts'
import { type DnsResponse, encodeQuery, FORMAT_ERROR, parseResponse, REFUSED } from './dns-message.ts'
import { cancelTimer, setTimer, Timer, type TimerOwner } from './timer-wheel.ts'

const RESEND_MS = 5000
/** Open sockets of one lookup: a late answer of an earlier server still counts, but not without end. */
const CHANNELS_MAX = 8
const IDS = 0x10000

/** One question of a lookup. */
export class Question {
  readonly name: string
  readonly type: number
  readonly id = randomInt(IDS)
  readonly query: Uint8Array | undefined
  answered = false
  /** It was answered in part: only TCP has the rest. */
  tcp = false

  constructor(name: string, type: number) {
    this.name = name
    this.type = type
    this.query = encodeQuery(this.id, name, type)
  }
}

/** Receives the answers. It marks a question `answered` when it is content with one, and else gets another. */
export interface LookupOwner {
  onAnswer(question: Question, response: DnsResponse): void
  /** Is anybody still waiting? Asked before a query is sent again; when not, the owner ends the lookup. */
  onResend(): boolean
}

/** The queries for one name; `close` ends them. */
export class Lookup implements ChannelOwner, TimerOwner {
  readonly #questions: readonly Question[]
  readonly #servers: readonly NameServer[]
  readonly #owner: LookupOwner
  readonly #log: ErrorLog
  readonly #timer = new Timer(this)
  readonly #channels: Channel[] = []
  #server: number
  #failures = 0
  #closed = false

  /** Begins with the server at index `first`. */
  constructor(
    questions: readonly Question[],
    servers: readonly NameServer[],
    first: number,
    owner: LookupOwner,
    log: ErrorLog,
  ) {
    this.#questions = questions
    this.#servers = servers
    this.#server = first
    this.#owner = owner
    this.#log = log
    this.#send()
  }

  #send(): void {
    for (const tcp of [false, true]) {
      const due = this.#questions.filter((question) => !question.answered && question.tcp === tcp)
      if (due.length > 0) this.#ask(due, this.#channel(tcp))
    }
    setTimer(this.#timer, RESEND_MS)
  }

  #ask(questions: readonly Question[], channel: Channel): void {
    for (const { query } of questions) if (query !== undefined) channel.send(query)
  }

  #channel(tcp: boolean): Channel {
    const server = this.#servers[this.#server]!
    const open = this.#channels.find((channel) => channel.server === server && channel.tcp === tcp)
    if (open !== undefined) return open
    if (this.#channels.length === CHANNELS_MAX) this.#channels.shift()!.close()
    const channel = tcp ? new TcpChannel(server, this) : new UdpChannel(server, this)
    this.#channels.push(channel)
    return channel
  }

  onTimeout(): void {
    if (this.#closed || !this.#owner.onResend()) return
    this.#next()
  }

  /** Asks the next server now; what an earlier one still says counts, too. */
  again(): void {
    this.#next()
  }

  #next(): void {
    this.#server = (this.#server + 1) % this.#servers.length
    this.#send()
  }

  /** nginx waits for its timer even when nothing listens; here the next server, if there is one, is asked at once. */
  onBroken(channel: Channel, problem: string): void {
    const at = this.#channels.indexOf(channel)
    if (at >= 0) this.#channels.splice(at, 1)
    if (this.#closed) return
    if (problem !== '') this.#log.write(ERROR, `${problem} while resolving, resolver: ${channel.server.name}`)
    if (channel.server === this.#servers[this.#server] && ++this.#failures < this.#servers.length) this.#next()
  }

  onMessage(bytes: Uint8Array, tcp: boolean): void {
    const response = parseResponse(bytes, tcp)
    if (typeof response === 'string') {
      this.#log.write(ERROR, response)
      return
    }
    if (response.name === '') {
      this.#refused(response)
      return
    }
    const question = this.#questions.find(({ name, type }) => name === response.name && type === response.type)
    if (question === undefined || question.answered) {
      this.#log.write(ERROR, `unexpected DNS response for ${response.name}`)
    } else if (response.id !== question.id) {
      this.#log.write(ERROR, `wrong ident ${response.id} in DNS response for ${response.name}, expect ${question.id}`)
    } else if (!response.truncated) this.#owner.onAnswer(question, response)
    else if (!question.tcp) {
      question.tcp = true
      this.#ask([question], this.#channel(true))
      setTimer(this.#timer, RESEND_MS)
    }
  }

  /** A server that understands nothing repeats no question either: another one is asked when the timer says so. */
  #refused({ id, code }: DnsResponse): void {
    const question = code === FORMAT_ERROR ? this.#questions.find((q) => q.id === id) : undefined
    const name = question === undefined ? '' : `, name:"${question.name}"`
    this.#log.write(ERROR, `DNS error (${codeText(code)}), query id:${id}${name}`)
  }

  close(): void {
    this.#closed = true
    cancelTimer(this.#timer)
    for (const channel of this.#channels.splice(0)) channel.close()
  }
}

const TEXTS = ['Format error', 'Server failure', 'Host not found', 'Unimplemented', 'Operation refused']

/** nginx's code of a name that took too long: the system's ETIMEDOUT. */
export const TIMED_OUT = 110
/** The name is not there. */
export const NAME_ERROR = 3
/** The name is there, but has no records of the type; nginx does not tell it from NAME_ERROR, and neither does its text. */
export const NO_RECORDS = 256

/** A failure as nginx logs it: `3: Host not found`. */
export function codeText(code: number): string {
  if (code === NO_RECORDS) return codeText(NAME_ERROR)
  if (code === TIMED_OUT) return '110: Operation timed out'
  return `${code}: ${code > 0 && code <= REFUSED ? TEXTS[code - 1] : 'Unknown error'}`
}
