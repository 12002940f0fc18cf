/**
 * The same exchanges over HTTP/2: requests that are written as HTTP/1 become frames, and frames a text that can be compared.
 * What has no counterpart (fields that speak of a connection) is left out; what cannot be read as a request is not asked.
 */
import {
  CANCEL,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_SIZE_DEFAULT,
  frameHead,
  GOAWAY,
  HEADERS,
  headersFrames,
  INITIAL_WINDOW_SIZE,
  PADDED,
  PREFACE,
  PRIORITY_FLAG,
  RST_STREAM,
  rstStream,
  SETTINGS,
  SETTINGS_ACK,
  settingsFrame,
  TABLE_SIZE_DEFAULT,
  u24,
  u31,
  u32,
  WINDOW_DEFAULT,
  WINDOW_UPDATE,
  windowUpdate,
} from '../../../src/http/h2/wire/frames.ts'
import { HpackDecoder } from '../../../src/http/h2/wire/hpack-decoder.ts'
import { encodeField } from '../../../src/http/h2/wire/hpack-encoder.ts'

const CONNECTION_FIELDS = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|http2-settings)$/
const WINDOW = 0x7fffffff

/** Writes requests of HTTP/1 as frames, part by part. */
export class Http2Writer {
  #text = ''
  #stream = -1
  /** Bytes of the body at hand that are to come; -1: it is chunked, undefined: a head is next. */
  #left: number | undefined
  #begun = false

  /** Returns what says `part`; with `end` the client says no more. */
  write(part: string, end: boolean): string {
    let frames = ''
    if (!this.#begun) {
      frames =
        PREFACE +
        settingsFrame([[INITIAL_WINDOW_SIZE, WINDOW]]) +
        windowUpdate(0, WINDOW - WINDOW_DEFAULT) +
        SETTINGS_ACK
      this.#begun = true
    }
    this.#text += part
    for (;;) {
      const next = this.#left === undefined ? this.#head() : this.#body()
      if (next === '') break
      frames += next
    }
    if (end && this.#left !== undefined) frames += this.#data('', true)
    return frames
  }

  #head(): string {
    const size = this.#text.indexOf('\r\n\r\n')
    if (size < 0) return ''
    const [line = '', ...lines] = this.#text.slice(0, size).split('\r\n')
    this.#text = this.#text.slice(size + 4)
    const [, method = '', target = ''] = /^(\S*) (.*?)(?: +HTTP\/\d\.\d)?$/.exec(line) ?? []
    const fields = lines.map((text) => {
      const colon = text.indexOf(':')
      return [text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()] as const
    })
    const value = (name: string): string | undefined => fields.find(([key]) => key === name)?.[1]
    let block = encodeField(':method', method) + encodeField(':scheme', 'http') + encodeField(':path', target)
    if (value('host') !== undefined) block += encodeField(':authority', value('host')!)
    for (const [name, text] of fields) {
      if (name !== 'host' && !CONNECTION_FIELDS.test(name)) block += encodeField(name, text)
    }
    this.#stream += 2
    if (value('transfer-encoding') !== undefined) this.#left = -1
    else if (Number(value('content-length')) > 0) this.#left = Number(value('content-length'))
    const flags = END_HEADERS | (this.#left === undefined ? END_STREAM : 0)
    return headersFrames(this.#stream, block, flags, FRAME_SIZE_DEFAULT)
  }

  #body(): string {
    if (this.#text === '') return ''
    if (this.#left !== -1) {
      const bytes = this.#text.slice(0, this.#left)
      this.#text = this.#text.slice(bytes.length)
      this.#left! -= bytes.length
      return this.#data(bytes, this.#left === 0)
    }
    const line = /^([0-9a-f]+)[^\r]*\r\n/i.exec(this.#text)
    if (line === null) {
      if (!this.#text.includes('\r\n')) return ''
      this.#text = ''
      this.#left = undefined
      return rstStream(this.#stream, CANCEL)
    }
    const size = Number.parseInt(line[1]!, 16)
    const at = line[0].length
    if (size === 0) return this.#trailers(at)
    if (this.#text.length < at + size + 2) return ''
    const bytes = this.#text.slice(at, at + size)
    this.#text = this.#text.slice(at + size + 2)
    return this.#data(bytes, false)
  }

  #trailers(at: number): string {
    const end = this.#text.indexOf('\r\n', at) === at ? at : this.#text.indexOf('\r\n\r\n', at)
    if (end < 0) return ''
    const lines = this.#text.slice(at, end).split('\r\n')
    this.#text = this.#text.slice(end === at ? end + 2 : end + 4)
    this.#left = undefined
    if (end === at) return this.#data('', true)
    const block = lines.map((text) => {
      const colon = text.indexOf(':')
      return encodeField(text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim())
    })
    return headersFrames(this.#stream, block.join(''), END_HEADERS | END_STREAM, FRAME_SIZE_DEFAULT)
  }

  #data(bytes: string, end: boolean): string {
    if (end) this.#left = undefined
    let frames = ''
    for (let at = 0; at === 0 || at < bytes.length; at += FRAME_SIZE_DEFAULT) {
      const part = bytes.slice(at, at + FRAME_SIZE_DEFAULT)
      const flags = end && at + FRAME_SIZE_DEFAULT >= bytes.length ? END_STREAM : 0
      frames += frameHead(part.length, DATA, flags, this.#stream) + part
    }
    return frames
  }
}

/** Tells whether each stream that frames of a client open has ended in the frames that a server sends. */
export function allEnded(sent: string, replies: string): boolean {
  const ended = new Set<number>()
  const opened = new Set<number>()
  let left = false
  const note = (text: string, server: boolean): void => {
    const bytes = Buffer.from(text, 'latin1')
    for (let at = text.startsWith(PREFACE) ? PREFACE.length : 0; at + 9 <= bytes.length; ) {
      const [size, type, flags, stream] = [u24(bytes, at), bytes[at + 3]!, bytes[at + 4]!, u31(bytes, at + 5)]
      at += 9 + size
      if (server && at > bytes.length) return
      if (type === HEADERS && !server) opened.add(stream)
      if (type === GOAWAY) left = true
      if (type === RST_STREAM || (server && type <= HEADERS && (flags & END_STREAM) !== 0)) ended.add(stream)
    }
  }
  note(sent, false)
  note(replies, true)
  return left || [...opened].every((stream) => ended.has(stream))
}

/** Returns what frames say: stream by stream, their heads with sorted fields, bodies, and how they end. */
export function plainFrames(text: string): string {
  const bytes = Buffer.from(text, 'latin1')
  const decoder = new HpackDecoder(TABLE_SIZE_DEFAULT)
  const streams = new Map<number, string>()
  const say = (stream: number, what: string): Map<number, string> =>
    streams.set(stream, (streams.get(stream) ?? '') + what)
  let block: Buffer = Buffer.alloc(0)
  for (let at = 0; at + 9 <= bytes.length; ) {
    const size = u24(bytes, at)
    const type = bytes[at + 3]!
    const flags = bytes[at + 4]!
    const stream = u31(bytes, at + 5)
    const payload = bytes.subarray(at + 9, at + 9 + size)
    at += 9 + size
    if (type === DATA) say(stream, payload.toString('latin1') + ((flags & END_STREAM) === 0 ? '' : '\n<end>\n'))
    else if (type === RST_STREAM) say(stream, `\n<reset ${u32(payload, 0)}>\n`)
    else if (type === GOAWAY) say(0, `<goaway ${u32(payload, 0)} ${u32(payload, 4)}>\n`)
    else if (type === HEADERS || type === CONTINUATION) {
      if (type === HEADERS) block = Buffer.alloc(0)
      if ((flags & (PADDED | PRIORITY_FLAG)) !== 0) say(stream, '<padded>')
      block = Buffer.concat([block, payload])
      if ((flags & END_HEADERS) !== 0) {
        const fields: string[] = []
        const sound = decoder.decode(block, 0, block.length, {
          onField: (name, _hash, value) => void fields.push(`${name}: ${value}`),
        })
        say(
          stream,
          `${sound ? '' : '<bad block>'}${plainHead(fields)}\n\n${(flags & END_STREAM) === 0 ? '' : '<end>\n'}`,
        )
      } else say(stream, '')
    } else if (type !== SETTINGS && type !== WINDOW_UPDATE) say(stream, `<frame ${type}>\n`)
  }
  return [...streams]
    .toSorted(([a], [b]) => a - b)
    .map(([stream, said]) => `#${stream} ${said}`)
    .join('')
}

function plainHead(fields: readonly string[]): string {
  return fields
    .filter((field) => !/^(?:server|date):/.test(field))
    .toSorted()
    .join('\n')
}
