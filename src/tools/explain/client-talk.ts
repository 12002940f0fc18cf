/** How a client speaks and hears: HTTP/1.1 or HTTP/2, one request on a connection of its own. */
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_SIZE_DEFAULT,
  frameHead,
  HEADERS,
  headersFrames,
  PREFACE,
  settingsFrame,
  windowUpdate,
} from '../../http/h2/wire/frames.ts'
import { HpackDecoder } from '../../http/h2/wire/hpack-decoder.ts'
import { encodeField } from '../../http/h2/wire/hpack-encoder.ts'
import { statusText } from '../../http/message/status.ts'

/** The request, whatever it is written as. */
export interface Said {
  readonly method: string
  readonly scheme: string
  /** Host and port as a client names them. */
  readonly authority: string
  readonly target: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

/** The response as a client has it. */
export interface Heard {
  /** The head as lines, the first with protocol and status; empty: there was none. */
  readonly head: string
  readonly bodyBytes: number
}

/** A protocol of clients. */
export interface ClientTalk {
  say(said: Said): Buffer
  hear(bytes: string): Heard
}

/** HTTP/1.1. */
export const TALK_1: ClientTalk = {
  say({ method, authority, target, fields, body }) {
    const host = fields.some(([name]) => name.toLowerCase() === 'host') ? [] : [['Host', authority] as const]
    const lines = [...host, ...fields, ...lengthOf(body)].map(([name, value]) => `${name}: ${value}\r\n`).join('')
    return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1'), body])
  },
  hear(bytes) {
    const cut = bytes.indexOf('\r\n\r\n')
    return cut < 0 ? { head: '', bodyBytes: 0 } : { head: bytes.slice(0, cut), bodyBytes: bytes.length - cut - 4 }
  },
}

/** So much may come: nobody has to wait for room. */
const WINDOW = 0x7fff0000

/** HTTP/2. */
export const TALK_2: ClientTalk = {
  say({ method, scheme, authority, target, fields, body }) {
    const host = fields.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? authority
    const own = [
      [':method', method],
      [':scheme', scheme],
      [':authority', host],
      [':path', target],
    ] as const
    const others = [...fields, ...lengthOf(body)].filter(([name]) => name.toLowerCase() !== 'host')
    const block = [...own, ...others].map(([name, value]) => encodeField(name.toLowerCase(), value)).join('')
    const hello = PREFACE + settingsFrame([[4, WINDOW]]) + windowUpdate(0, WINDOW)
    const head = headersFrames(1, block, body.length === 0 ? END_STREAM : 0, FRAME_SIZE_DEFAULT)
    return Buffer.concat([Buffer.from(hello + head, 'latin1'), ...dataFrames(body)])
  },
  hear(bytes) {
    const decoder = new HpackDecoder(4096)
    let head = ''
    let block = ''
    let bodyBytes = 0
    for (const { type, flags, stream, payload } of framesOf(bytes)) {
      if (stream !== 1) continue
      if (type === DATA) bodyBytes += payload.length
      if (type !== HEADERS && type !== CONTINUATION) continue
      block += payload
      if ((flags & END_HEADERS) === 0) continue
      const fields: string[] = []
      const buffer = Buffer.from(block, 'latin1')
      decoder.decode(buffer, 0, buffer.length, {
        onField: (name, _hash, value) => void fields.push(`${name}: ${value}`),
      })
      block = ''
      // Behind it there may be trailers.
      const status = Number(/^:status: (\d+)$/.exec(fields[0] ?? '')?.[1] ?? 0)
      if (status >= 200) head = [`HTTP/2 ${statusText(status)}`, ...fields.slice(1)].join('\r\n')
    }
    return { head, bodyBytes }
  },
}

function lengthOf(body: Buffer): (readonly [string, string])[] {
  return body.length === 0 ? [] : [['Content-Length', String(body.length)]]
}

function dataFrames(body: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at < body.length; at += FRAME_SIZE_DEFAULT) {
    const piece = body.subarray(at, at + FRAME_SIZE_DEFAULT)
    const last = at + piece.length === body.length ? END_STREAM : 0
    frames.push(Buffer.from(frameHead(piece.length, DATA, last, 1), 'latin1'), piece)
  }
  return frames
}

interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: string
}

function framesOf(bytes: string): readonly Frame[] {
  const frames: Frame[] = []
  const byte = (at: number): number => bytes.charCodeAt(at)
  for (let at = 0; at + 9 <= bytes.length; ) {
    const size = (byte(at) << 16) | (byte(at + 1) << 8) | byte(at + 2)
    const stream = ((byte(at + 5) & 127) << 24) | (byte(at + 6) << 16) | (byte(at + 7) << 8) | byte(at + 8)
    frames.push({ type: byte(at + 3), flags: byte(at + 4), stream, payload: bytes.slice(at + 9, at + 9 + size) })
    at += 9 + size
  }
  return frames
}
