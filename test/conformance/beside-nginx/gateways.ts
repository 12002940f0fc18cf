/**
 * How back ends that do not speak HTTP/1 hear requests: where each one ends, and what it says as a text that can be compared.
 * What they answer is written by hand in the cases.
 */
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  TABLE_SIZE_DEFAULT,
  u24,
  u31,
  u32,
} from '../../../src/http/h2/wire/frames.ts'
import { HpackDecoder } from '../../../src/http/h2/wire/hpack-decoder.ts'

/** What a group's back ends speak instead of HTTP/1. */
export type Speech = 'fastcgi' | 'scgi' | 'uwsgi' | 'memcached' | 'http2'

/** One connection of a back end. */
export interface Hearing {
  /** Takes bytes; returns how many requests are to be answered by now, those whose body has not come if `early` says so. */
  hear(bytes: string, early: () => boolean): number
  /** All that was heard. */
  said(): string
  /** The stream of HTTP/2 that is answered. */
  readonly stream?: number
}

/** The number of the stream that is answered, in frames of an answer. */
export const HERE = 0x7f7f7f
const LONG = 600
const FCGI_NAMES: Readonly<Record<number, string>> = { 1: 'BEGIN', 2: 'ABORT', 4: 'PARAMS', 5: 'STDIN' }

/** Returns what hears the requests of one connection. */
export function newHearing(speech: Speech): Hearing {
  switch (speech) {
    case 'fastcgi':
      return new FastcgiHearing()
    case 'scgi':
      return new BlockHearing(scgiBlock)
    case 'uwsgi':
      return new BlockHearing(uwsgiBlock)
    case 'memcached':
      return new BlockHearing(memcachedBlock)
    case 'http2':
      return new Http2Hearing()
  }
}

/** A long text by its size and its ends. */
function brief(text: string): string {
  if (text.length <= LONG) return text
  let sum = 0
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) >>> 0
  return `${text.slice(0, 50)}<${text.length} bytes ${sum}>${text.slice(-50)}`
}

// ---- FastCGI ---------------------------------------------------------------------------------

class FastcgiHearing implements Hearing {
  #held = ''
  #lines: string[] = []
  #answered = false

  hear(bytes: string, early: () => boolean): number {
    this.#held += bytes
    let count = 0
    for (;;) {
      const text = this.#held
      if (text.length < 8) return count
      const size = text.charCodeAt(4) * 256 + text.charCodeAt(5)
      const padding = text.charCodeAt(6)
      if (text.length < 8 + size + padding) return count
      const type = text.charCodeAt(1)
      const content = text.slice(8, 8 + size)
      this.#lines.push(
        `${FCGI_NAMES[type] ?? type} ${text.charCodeAt(0)} ${text.charCodeAt(3)} ${size}+${padding}${fastcgiContent(type, content)}`,
      )
      this.#held = text.slice(8 + size + padding)
      if (type === 1) this.#answered = false
      const ends = size === 0 && (type === 5 || (type === 4 && early()))
      if (!ends || this.#answered) continue
      this.#answered = true
      count += 1
    }
  }

  said(): string {
    const rest = this.#held === '' ? [] : [`<cut ${this.#held.length}>`]
    return [...this.#lines, ...rest].join('\n')
  }
}

function fastcgiContent(type: number, content: string): string {
  if (content === '') return ''
  if (type !== 4) return ` ${JSON.stringify(brief(content))}`
  let lines = ''
  const size = (at: number): number =>
    content.charCodeAt(at) < 128
      ? content.charCodeAt(at)
      : ((content.charCodeAt(at) & 127) << 24) |
        (content.charCodeAt(at + 1) << 16) |
        (content.charCodeAt(at + 2) << 8) |
        content.charCodeAt(at + 3)
  for (let at = 0; at < content.length; ) {
    const name = size(at)
    at += name < 128 ? 1 : 4
    const value = size(at)
    at += value < 128 ? 1 : 4
    lines += `\n  ${content.slice(at, at + name)}=${brief(content.slice(at + name, at + name + value))}`
    at += name + value
  }
  return lines
}

// ---- SCGI, uwsgi, memcached ------------------------------------------------------------------

/** What stands before the body of a request: its size, what it says, and how long the body is. */
interface Block {
  readonly size: number
  readonly text: string
  readonly bodySize: number
}

class BlockHearing implements Hearing {
  readonly #blockOf: (text: string) => Block | undefined
  #held = ''
  #said = ''
  #answered = false

  constructor(blockOf: (text: string) => Block | undefined) {
    this.#blockOf = blockOf
  }

  hear(bytes: string, early: () => boolean): number {
    this.#held += bytes
    let count = 0
    for (;;) {
      const block = this.#blockOf(this.#held)
      if (block === undefined) return count
      const end = block.size + block.bodySize
      const whole = this.#held.length >= end
      if (!this.#answered && (whole || early())) {
        this.#answered = true
        count += 1
      }
      if (!whole) return count
      this.#said += `${block.text}${brief(this.#held.slice(block.size, end))}\n`
      this.#held = this.#held.slice(end)
      this.#answered = false
    }
  }

  said(): string {
    return this.#held === '' ? this.#said : `${this.#said}<more>${brief(this.#held)}`
  }
}

function scgiBlock(text: string): Block | undefined {
  const colon = text.indexOf(':')
  const size = Number(text.slice(0, colon))
  if (colon < 1 || text.length < colon + 2 + size) return undefined
  const params = text.slice(colon + 1, colon + 1 + size).split('\0')
  let lines = text.slice(0, colon + 1)
  for (let i = 0; i + 1 < params.length; i += 2) lines += `\n  ${params[i]}=${brief(params[i + 1]!)}`
  const end = `\n${text[colon + 1 + size]}${params.at(-1)}\n`
  return { size: colon + 2 + size, text: lines + end, bodySize: Number(params[1]) || 0 }
}

function uwsgiBlock(text: string): Block | undefined {
  const u16 = (at: number): number => text.charCodeAt(at) + text.charCodeAt(at + 1) * 256
  if (text.length < 4 || text.length < 4 + u16(1)) return undefined
  const end = 4 + u16(1)
  let lines = `${text.charCodeAt(0)} ${u16(1)} ${text.charCodeAt(3)}`
  let bodySize = 0
  for (let at = 4; at < end; ) {
    const name = text.slice(at + 2, at + 2 + u16(at))
    at += 2 + name.length
    const value = text.slice(at + 2, at + 2 + u16(at))
    at += 2 + value.length
    lines += `\n  ${name}=${brief(value)}`
    if (name === 'CONTENT_LENGTH') bodySize = Number(value) || 0
  }
  return { size: end, text: `${lines}\n`, bodySize }
}

function memcachedBlock(text: string): Block | undefined {
  const end = text.indexOf('\n') + 1
  return end === 0 ? undefined : { size: end, text: text.slice(0, end), bodySize: 0 }
}

// ---- HTTP/2 ----------------------------------------------------------------------------------

class Http2Hearing implements Hearing {
  readonly #decoder = new HpackDecoder(TABLE_SIZE_DEFAULT)
  #held = ''
  #block = ''
  #lines: string[] = []
  #answered = new Set<number>()
  stream = 0
  /** The stream whose DATA the last line is. */
  #dataOf = 0

  hear(bytes: string, early: () => boolean): number {
    this.#held += bytes
    if (this.#held.startsWith(PREFACE)) this.#held = this.#held.slice(PREFACE.length)
    let count = 0
    for (;;) {
      const held = Buffer.from(this.#held, 'latin1')
      if (held.length < 9 || held.length < 9 + u24(held, 0) || PREFACE.startsWith(this.#held)) return count
      const size = u24(held, 0)
      this.#held = this.#held.slice(9 + size)
      const [type, flags, stream] = [held[3]!, held[4]!, u31(held, 5)]
      const opens = this.#frame(type, flags, stream, held.subarray(9, 9 + size))
      const ends = (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0
      if (this.#answered.has(stream) || (!ends && !(opens && early()))) continue
      this.#answered.add(stream)
      this.stream = stream
      count += 1
    }
  }

  /** Notes a frame; true: it ends the head of a request. */
  #frame(type: number, flags: number, stream: number, payload: Buffer): boolean {
    const end = (flags & END_STREAM) === 0 ? '' : ' end'
    const follows = type === DATA && this.#dataOf === stream
    this.#dataOf = type === DATA && end === '' ? stream : 0
    if (type === DATA) {
      const line = follows ? this.#lines.pop()! : `#${stream} data `
      this.#lines.push(`${line}${payload.toString('latin1')}${end}`)
    } else if (type === RST_STREAM) this.#lines.push(`#${stream} reset ${u32(payload, 0)}`)
    else if (type === GOAWAY) this.#lines.push(`goaway ${u32(payload, 0)} ${u32(payload, 4)}`)
    else if (type === PING) this.#lines.push(`ping ${flags} ${payload.toString('latin1')}`)
    else if (type === SETTINGS && (flags & 1) === 1) this.#lines.push('settings taken')
    else if (type === HEADERS || type === CONTINUATION) {
      this.#block += payload.toString('latin1')
      if ((flags & END_HEADERS) === 0) return false
      const fields: string[] = []
      const block = Buffer.from(this.#block, 'latin1')
      this.#block = ''
      this.#decoder.decode(block, 0, block.length, {
        onField: (name, _hash, value) => void fields.push(`\n  ${name}: ${brief(value)}`),
      })
      this.#lines.push(`#${stream} head${end}${fields.join('')}`)
      return true
    }
    return false
  }

  said(): string {
    return this.#lines.map((line) => (line.includes(' data ') ? brief(line) : line)).join('\n')
  }
}
