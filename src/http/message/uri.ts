/**
 * Request targets, escaping and host names, with nginx's rules (ngx_http_parse_complex_uri, ngx_escape_uri,
 * ngx_unescape_uri, ngx_http_validate_host). All strings are binary: one character is one byte.
 * The common case, a path with nothing to do, costs one scan and no new string.
 */
import { FOLD, HEX, isAlnum, PATH } from './tokens.ts'

const SLASH = 0x2f
const DOT = 0x2e
const PERCENT = 0x25
const QUESTION = 0x3f
const NUMBER_SIGN = 0x23

const USUAL = 0
const AFTER_SLASH = 1
const AFTER_DOT = 2
const AFTER_DOTS = 3

/** The parts of a request target; filled by `normalizeUri`, owned by the caller. */
export interface UriParts {
  /** The decoded and normalized path. */
  uri: string
  /** What follows `?`, as it was sent; empty when there is none. */
  args: string
}

let scratch = Buffer.allocUnsafe(4096)

/**
 * Splits a request target into path and arguments, decodes the path and resolves `.`, `..` and (if asked) runs of
 * slashes; a fragment is cut off. Returns false for a target that must be refused with 400.
 */
export function normalizeUri(target: string, mergeSlashes: boolean, parts: UriParts): boolean {
  const plain = plainPrefix(target)
  if (plain === target.length) {
    parts.uri = target
    parts.args = ''
    return true
  }
  if (plain > 0 && target.charCodeAt(plain) === QUESTION && !target.includes('#', plain)) {
    parts.uri = target.slice(0, plain)
    parts.args = target.slice(plain + 1)
    return true
  }
  return normalize(target, mergeSlashes, parts)
}

/** Counts the characters from the start for which nothing is to be done. */
function plainPrefix(target: string): number {
  let last = USUAL
  for (let i = 0; i < target.length; i++) {
    const byte = target.charCodeAt(i)
    if (PATH[byte] === 1) {
      last = USUAL
    } else if (byte === SLASH || byte === DOT) {
      if (last === AFTER_SLASH) return 0
      if (byte === SLASH) last = AFTER_SLASH
    } else if (byte === QUESTION) {
      return i
    } else if (byte === PERCENT || byte === NUMBER_SIGN) {
      return 0
    } else {
      last = USUAL
    }
  }
  return target.length
}

/** Resolves the general case; `length` is the length of the path written to `scratch` so far. */
function normalize(target: string, mergeSlashes: boolean, parts: UriParts): boolean {
  if (scratch.length < target.length + 1) scratch = Buffer.allocUnsafe(target.length * 2)
  let state = USUAL
  let length = 0
  let at = 0
  let args = ''
  if (target.charCodeAt(0) === QUESTION) scratch[length++] = SLASH // http://host?args
  while (at < target.length) {
    let byte = target.charCodeAt(at++)
    if (byte === PERCENT) {
      byte = ((HEX[target.charCodeAt(at)] ?? -1) << 4) | (HEX[target.charCodeAt(at + 1)] ?? -1)
      if (byte <= 0) return false
      at += 2
      if (byte === PERCENT || byte === NUMBER_SIGN || byte === QUESTION) {
        scratch[length++] = byte
        state = USUAL
        continue
      }
    } else if (byte === QUESTION) {
      const fragment = target.indexOf('#', at)
      args = fragment < 0 ? target.slice(at) : target.slice(at, fragment)
      break
    } else if (byte === NUMBER_SIGN) {
      break
    }
    if (byte === SLASH) {
      if (state === AFTER_SLASH) {
        if (!mergeSlashes) scratch[length++] = byte
      } else if (state === USUAL) {
        scratch[length++] = byte
      } else if ((length = closeDots(state, length)) < 0) {
        return false
      }
      state = AFTER_SLASH
    } else {
      scratch[length++] = byte
      state = byte === DOT && state !== USUAL && state !== AFTER_DOTS ? state + 1 : USUAL
    }
  }
  if (state >= AFTER_DOT && (length = closeDots(state, length)) < 0) return false
  parts.uri = scratch.latin1Slice(0, length)
  parts.args = args
  return true
}

/** Takes back a last segment `.` or `..`; returns the new length, or -1 when it leads above the root. */
function closeDots(state: number, length: number): number {
  if (state === AFTER_DOT) return length - 1
  for (let at = length - 4; at >= 0; at--) {
    if (scratch[at] === SLASH) return at + 1
  }
  return -1
}

/** Gives what follows the last `.` of the last segment (ngx_http_set_exten): the key of the `types` table. */
export function uriExtension(uri: string): string {
  for (let i = uri.length - 1; i > 1; i--) {
    const byte = uri.charCodeAt(i)
    if (byte === DOT && uri.charCodeAt(i - 1) !== SLASH) return uri.slice(i + 1)
    if (byte === SLASH) return ''
  }
  return ''
}

/** What an escaped text is for: each decides which bytes are escaped, as nginx's NGX_ESCAPE_* do. */
export type EscapeKind =
  | 'uri'
  | 'args'
  | 'uri-component'
  | 'html'
  | 'refresh'
  | 'memcached'
  | 'mail-auth'
  | 'mail-xtext'

const CONTROL = [...Array(0x20).keys()].map((byte) => String.fromCharCode(byte)).join('')
const HIGH = [...Array(0x81).keys()].map((byte) => String.fromCharCode(0x7f + byte)).join('')
const NEVER = CONTROL + HIGH + ' "<>\\^`{|}'
const RESERVED = ":/?#[]@!$&'()*+,;=%"

const ESCAPED: Readonly<Record<EscapeKind, Uint8Array>> = {
  uri: byteSet(NEVER + '#%?'),
  args: byteSet(NEVER + '#%&+;?'),
  'uri-component': byteSet(NEVER + RESERVED),
  html: byteSet(NEVER + "#%'"),
  // nginx escapes `~` where one would expect `}`.
  refresh: byteSet(`${NEVER.replace('}', '~')}'`),
  memcached: byteSet(`${CONTROL} %`),
  'mail-auth': byteSet(`${CONTROL} %`),
  'mail-xtext': byteSet(`${CONTROL}${HIGH} +=`),
}

/** Escapes what may not stand in the given place; returns the same string when nothing has to be escaped. */
export function escapeUri(text: string, kind: EscapeKind): string {
  const escaped = ESCAPED[kind]
  const prefix = kind === 'mail-xtext' ? '+' : '%'
  let out = ''
  let kept = 0
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i)
    if (escaped[byte] !== 1) continue
    out += text.slice(kept, i) + prefix + (byte < 16 ? '0' : '') + byte.toString(16).toUpperCase()
    kept = i + 1
  }
  return kept === 0 ? text : out + text.slice(kept)
}

/**
 * How far `unescapeUri` goes: `component` decodes everything; `uri` stops at `?`; `redirect` also leaves escaped what a
 * Location field must not hold in the clear. What follows the stop is kept as it is.
 */
type UnescapeKind = 'component' | 'uri' | 'redirect'

/** Decodes `%XX`; a malformed escape loses its `%` (and a first good digit), as in nginx. */
export function unescapeUri(text: string, kind: UnescapeKind = 'component'): string {
  const stop = kind === 'component' ? -1 : QUESTION
  let out = ''
  let at = 0
  while (at < text.length) {
    const byte = text.charCodeAt(at++)
    if (byte === stop) return out + '?' + text.slice(at)
    if (byte !== PERCENT) {
      out += text[at - 1]
      continue
    }
    if (at === text.length) break
    const high = HEX[text.charCodeAt(at++)]!
    if (high < 0) {
      out += text[at - 1]
      continue
    }
    if (at === text.length) break
    const low = HEX[text.charCodeAt(at++)]!
    if (low < 0) continue
    const decoded = (high << 4) | low
    if (decoded === stop) return out + '?' + text.slice(at)
    if (kind === 'redirect' && (decoded <= PERCENT || decoded >= 0x7f)) out += text.slice(at - 3, at)
    else out += String.fromCharCode(decoded)
  }
  return out
}

const HTML_SPECIAL = /[<>&"]/g
const HTML_ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' }

/** Escapes `< > & "` for HTML text. */
export function escapeHtml(text: string): string {
  return text.replace(HTML_SPECIAL, (special) => HTML_ENTITIES[special]!)
}

/** A host name and port; filled by `validateHost`, owned by the caller. */
export interface HostParts {
  /** In lower case, without port and without the dot at the end; IPv6 literals keep their brackets. */
  host: string
  /** 0 when the text has no port. */
  port: number
}

/** Checks a Host field or the host of an absolute target and splits it; returns false when it is malformed. */
export function validateHost(text: string, parts: HostParts): boolean {
  let end = text.length
  let dot = -2
  let at = 0
  let lower = true
  const literal = text.charCodeAt(0) === 0x5b
  if (literal) at++
  for (; at < end; at++) {
    const byte = text.charCodeAt(at)
    if (byte === 0x3a && !literal) {
      end = at
    } else if (byte === 0x5d && literal) {
      end = at + 1
    } else if (byte === DOT) {
      if (dot === at - 1) return false
      dot = at
    } else if (HOST_BYTE[byte] !== 1 && (literal ? byte !== 0x3a : byte !== PERCENT)) {
      return false
    }
    if (FOLD[byte] !== byte) lower = false
  }
  if (literal && text.charCodeAt(end - 1) !== 0x5d) return false
  const port = end === text.length ? 0 : portOf(text, end)
  if (port < 0) return false
  if (dot === end - 1) end--
  if (end <= 0) return false
  const host = end === text.length ? text : text.slice(0, end)
  parts.host = lower ? host : host.toLowerCase()
  parts.port = port
  return true
}

/** Reads `:digits` from `start` to the end; -1 when it is anything else or above 65535. */
function portOf(text: string, start: number): number {
  if (text.charCodeAt(start) !== 0x3a) return -1
  let port = 0
  for (let i = start + 1; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    port = port * 10 + digit
    if (port > 65535) return -1
  }
  return port
}

/** 1 for unreserved bytes and sub-delimiters, in names and in literals; `%` and `:` are decided at the spot. */
const HOST_BYTE = byteSet("-_~!$&'()*+,;=", isAlnum)

function byteSet(bytes: string, more: (byte: number) => boolean = () => false): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    bytes.includes(String.fromCharCode(byte)) || more(byte) ? 1 : 0,
  )
}
