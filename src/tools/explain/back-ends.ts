/** What a back end of each protocol would answer, so that the response goes the way that it would go. */

import {
  END_HEADERS,
  END_STREAM,
  frameHead,
  HEADERS,
  PREFACE,
  SETTINGS_ACK,
  settingsFrame,
} from '../../http/h2/wire/frames.ts'
import { encodeField } from '../../http/h2/wire/hpack-encoder.ts'
import { statusText } from '../../http/message/status.ts'
import type { Answer, Answering } from './nowhere.ts'
import type { Failure, Supposed } from './supposition.ts'

/** A back end that answers with `response`, spoken to in the protocol of a URL scheme (`http`, `grpc`, `fastcgi` ...). */
export function backEnd(scheme: string, response: Supposed): Answering {
  switch (scheme) {
    case 'fastcgi':
      return once(
        (sent) => fastcgiIsWhole(sent),
        () => ({ bytes: fastcgiAnswer(response), closes: true }),
      )
    case 'uwsgi':
    case 'suwsgi':
    case 'scgi':
      return once(
        () => true,
        () => ({ bytes: Buffer.concat([cgiHead(response), response.body]), closes: true }),
      )
    case 'memcached':
      return once(
        (sent) => sent.endsWith('\r\n'),
        (sent) => ({ bytes: memcachedAnswer(sent, response), closes: false }),
      )
    default:
      return http(response)
  }
}

/** A back end that fails; undefined: it cannot even be connected to. */
export function failingBackEnd(failure: Failure): Answering | undefined {
  switch (failure) {
    case 'timeout':
      return () => undefined
    case 'reset':
      return once(
        () => true,
        () => ({ bytes: Buffer.alloc(0), closes: true }),
      )
    case 'invalid':
      return once(
        () => true,
        () => ({ bytes: Buffer.from('\xff\xff\xff nonsense\r\n\r\n', 'latin1'), closes: true }),
      )
    default:
      return undefined
  }
}

/** Answers once the request is there. */
function once(isWhole: (sent: string) => boolean, answer: (sent: string) => Answer): Answering {
  let answered = false
  return (sent) => {
    if (answered || !isWhole(sent)) return undefined
    answered = true
    return answer(sent)
  }
}

/** HTTP/1, or HTTP/2 when that is what is spoken. */
function http(response: Supposed): Answering {
  let answered = false
  let began = false
  return (sent) => {
    if (answered) return undefined
    if (!sent.startsWith('PRI * ')) {
      if (!sent.includes('\r\n\r\n')) return undefined
      answered = true
      const body = sent.startsWith('HEAD ') ? [] : [response.body]
      return { bytes: Buffer.concat([http1Head(response), ...body]), closes: false }
    }
    const hello = began ? '' : settingsFrame([]) + SETTINGS_ACK
    began = true
    answered = hasHeaders(sent)
    const answer = answered ? [h2Answer(response, sent.includes('application/grpc'))] : []
    return { bytes: Buffer.concat([Buffer.from(hello, 'latin1'), ...answer]), closes: false }
  }
}

function fieldsOf({ fields, body, status }: Supposed): string {
  const bodiless = status === 204 || status === 304 || status < 200
  const length = bodiless || fields.some(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name))
  return [...fields, ...(length ? [] : [['Content-Length', String(body.length)] as const])]
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
}

function http1Head(response: Supposed): Buffer {
  return Buffer.from(`HTTP/1.1 ${statusText(response.status)}\r\n${fieldsOf(response)}\r\n`, 'latin1')
}

function cgiHead(response: Supposed): Buffer {
  return Buffer.from(`Status: ${statusText(response.status)}\r\n${fieldsOf(response)}\r\n`, 'latin1')
}

const STDIN = 5
const RECORD_HEAD = 8

/** The empty record that ends the request's body is there. */
function fastcgiIsWhole(sent: string): boolean {
  for (let at = 0; at + RECORD_HEAD <= sent.length; ) {
    const size = (sent.charCodeAt(at + 4) << 8) | sent.charCodeAt(at + 5)
    if (sent.charCodeAt(at + 1) === STDIN && size === 0) return true
    at += RECORD_HEAD + size + sent.charCodeAt(at + 6)
  }
  return false
}

function fastcgiAnswer(response: Supposed): Buffer {
  const content = Buffer.concat([cgiHead(response), response.body])
  const record = (type: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([1, type, 0, 1, bytes.length >> 8, bytes.length & 255, 0, 0]), bytes])
  return Buffer.concat([record(6, content), record(6, Buffer.alloc(0)), record(3, Buffer.alloc(8))])
}

function memcachedAnswer(sent: string, { status, body }: Supposed): Buffer {
  if (status === 404) return Buffer.from('END\r\n')
  return Buffer.concat([
    Buffer.from(`VALUE ${sent.trim().split(' ')[1]} 0 ${body.length}\r\n`),
    body,
    Buffer.from('\r\nEND\r\n'),
  ])
}

/** The first HEADERS frame behind the preface is whole. */
function hasHeaders(sent: string): boolean {
  for (let at = PREFACE.length; at + 9 <= sent.length; ) {
    const size = (sent.charCodeAt(at) << 16) | (sent.charCodeAt(at + 1) << 8) | sent.charCodeAt(at + 2)
    if (sent.charCodeAt(at + 3) === HEADERS) return at + 9 + size <= sent.length
    at += 9 + size
  }
  return false
}

function h2Answer({ status, fields, body }: Supposed, grpc: boolean): Buffer {
  const own = grpc && status === 200 ? [['grpc-status', '0'] as const] : []
  const all = [...fields, ...(grpc ? [['content-type', 'application/grpc'] as const, ...own] : [])]
  const block = [[':status', String(status)] as const, ...all]
    .map(([name, value]) => encodeField(name.toLowerCase(), value))
    .join('')
  const last = body.length === 0 ? END_STREAM : 0
  const head = frameHead(block.length, HEADERS, END_HEADERS | last, 1) + block
  const data = body.length === 0 ? '' : frameHead(body.length, 0, END_STREAM, 1)
  return Buffer.concat([Buffer.from(head + data, 'latin1'), body])
}
