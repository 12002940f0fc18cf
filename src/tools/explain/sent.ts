/** What a back end is sent, decoded from the bytes of its protocol: a first line where there is one, then names and values. */
import { HpackDecoder } from '../../http/h2/wire/hpack-decoder.ts'

/** A request as a back end reads it. */
export interface Sent {
  /** `GET /path HTTP/1.1`, or empty. */
  readonly line: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** What names and values are called: fields, or parameters. */
  readonly kind: 'field' | 'parameter'
}

const RECORD_HEAD = 8
const PARAMS = 4

/** Decodes the head of a request in the protocol of `scheme`. */
export function decodeSent(scheme: string, head: string): Sent {
  switch (scheme) {
    case 'fastcgi':
      return { line: '', fields: pairs(paramsOf(head), fastcgiSize), kind: 'parameter' }
    case 'uwsgi':
    case 'suwsgi':
      return { line: '', fields: pairs(head.slice(4), uwsgiSize), kind: 'parameter' }
    case 'scgi': {
      const words = head.slice(head.indexOf(':') + 1, head.lastIndexOf(',')).split('\0')
      const fields = words.flatMap((name, i) =>
        i % 2 === 0 && i + 1 < words.length ? [[name, words[i + 1]!] as const] : [],
      )
      return { line: '', fields, kind: 'parameter' }
    }
    case 'memcached':
      return { line: head.trimEnd(), fields: [], kind: 'field' }
    default:
      return /^[A-Z]+ [^\r]* HTTP\/1\.[01]\r\n/.test(head) ? http1(head) : http2(head)
  }
}

function http1(head: string): Sent {
  const [line = '', ...lines] = head.split('\r\n\r\n', 1)[0]!.split('\r\n')
  const fields = lines.map((text) => {
    const colon = text.indexOf(':')
    return [text.slice(0, colon), text.slice(colon + 1).trim()] as const
  })
  return { line, fields, kind: 'field' }
}

function http2(block: string): Sent {
  const fields: [string, string][] = []
  const bytes = Buffer.from(block, 'latin1')
  new HpackDecoder(4096).decode(bytes, 0, bytes.length, {
    onField: (name: string, _hash: number, value: string) => void fields.push([name, value]),
  })
  return { line: '', fields, kind: 'field' }
}

/** The content of all records of parameters. */
function paramsOf(head: string): string {
  let text = ''
  for (let at = 0; at + RECORD_HEAD <= head.length; ) {
    const size = (head.charCodeAt(at + 4) << 8) | head.charCodeAt(at + 5)
    if (head.charCodeAt(at + 1) === PARAMS) text += head.slice(at + RECORD_HEAD, at + RECORD_HEAD + size)
    at += RECORD_HEAD + size + head.charCodeAt(at + 6)
  }
  return text
}

/** Reads a size at a place: the size, and where it ends. */
type SizeReader = (text: string, at: number) => readonly [size: number, end: number]

const fastcgiSize: SizeReader = (text, at) => {
  const first = text.charCodeAt(at)
  if (first < 128) return [first, at + 1]
  const rest = (text.charCodeAt(at + 1) << 16) | (text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3)
  return [((first & 127) << 24) | rest, at + 4]
}

const uwsgiSize: SizeReader = (text, at) => [text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8), at + 2]

function pairs(text: string, size: SizeReader): [string, string][] {
  const found: [string, string][] = []
  for (let at = 0; at < text.length; ) {
    const [nameSize, nameEnd] = size(text, at)
    const together = size === fastcgiSize
    const [valueSize, sizesEnd] = together ? size(text, nameEnd) : [0, nameEnd]
    const name = text.slice(sizesEnd, sizesEnd + nameSize)
    if (together) {
      found.push([name, text.slice(sizesEnd + nameSize, sizesEnd + nameSize + valueSize)])
      at = sizesEnd + nameSize + valueSize
    } else {
      const [length, start] = size(text, sizesEnd + nameSize)
      found.push([name, text.slice(start, start + length)])
      at = start + length
    }
  }
  return found
}
