/**
 * The fields of one HTTP/2 request head, in the order of the block: checks them (RFC 9113, section 8; nginx's
 * ngx_http_v2_validate_header and ngx_http_v2_pseudo_header, and stricter about bytes), enters them into the request's
 * table and keeps the pseudo-fields apart. What comes out may be written as HTTP/1.1 without a doubt about its meaning.
 *
 * There is one object per thread: a block is decoded in one go.
 */

import { hashName } from '../message/field-names.ts'
import type { LineRules } from '../message/head-limits.ts'
import type { HeaderTable } from '../message/header-table.ts'
import { loggedValue } from '../message/logged-field.ts'
import { CR, LF, METHOD, NAME, SPACE } from '../message/tokens.ts'
import { CONNECTION_FIELDS } from './connection-fields.ts'
import { FRAME_SIZE_DEFAULT } from './wire/frames.ts'
import type { FieldReceiver } from './wire/hpack-decoder.ts'

/** The limits of a block: those of lines, and how many buffers of `bufferSize` all fields together may fill. */
export interface FieldLimits extends LineRules {
  readonly bufferCount: number
}

/** What the lengths of a field in HPACK have at most, where they are those of texts that fit into buffers. */
const LENGTHS_MAX = 7

/** Bytes that the block of a head may have: its fields may fill all buffers, and are written with their lengths. */
export function blockSizeMax({ bufferSize, bufferCount, countMax }: FieldLimits): number {
  return Math.max(FRAME_SIZE_DEFAULT, bufferSize * bufferCount + countMax * LENGTHS_MAX)
}

const COLON = 0x3a
const UNDERSCORE = 0x5f
const DEL = 0x7f
const UPPER_A = 0x41
const UPPER_Z = 0x5a

const COOKIE = hashName('cookie')
const TE = hashName('te')

/** Fields that speak of a connection, and nginx's spelling of them: they have no place here. */
const REFUSED: ReadonlyMap<number, { readonly name: string; readonly spelling: string }> = new Map(
  CONNECTION_FIELDS.map((name) => [
    hashName(name),
    { name, spelling: name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase()) },
  ]),
)

/** Names found sound, by hash: most blocks bring the same ones again. */
const soundNames: string[] = new Array<string>(256).fill('')

/** Takes the fields of a block, between `begin` and `end`. */
export class RequestFields implements FieldReceiver {
  method = ''
  scheme = ''
  path = ''
  pathSound = false
  authority = ''
  /** `:protocol` of an extended CONNECT (RFC 8441). */
  protocol = ''
  /** What is wrong with the request, as it is logged behind "client "; empty while nothing is. */
  problem = ''
  /** The status that answers the problem. */
  status = 0
  /** What is wrong with the block itself, so that the connection ends; empty while nothing is. */
  excess = ''
  /** The excess is a field without a name. */
  nameless = false
  /** Names that `ignore_invalid_headers` left out, for the log. */
  readonly dropped: string[] = []
  #table!: HeaderTable
  #limits!: FieldLimits
  #left = 0
  #regular = false
  #trailers = false
  #authoritySeen = false
  #cookie = ''
  #teSeen = false

  /** Begins a block whose fields go to `table`. */
  begin(table: HeaderTable, limits: FieldLimits, trailers: boolean): void {
    this.method = this.scheme = this.path = this.authority = this.protocol = ''
    this.pathSound = false
    this.problem = this.excess = ''
    this.status = 0
    this.nameless = false
    if (this.dropped.length !== 0) this.dropped.length = 0
    this.#table = table
    this.#limits = limits
    this.#left = limits.bufferSize * limits.bufferCount
    this.#regular = false
    this.#trailers = trailers
    this.#authoritySeen = false
    this.#cookie = ''
    this.#teSeen = false
    table.reset()
  }

  onField(name: string, hash: number, value: string): void {
    if (!this.#fits(name, value)) return
    if (this.status !== 0) return this.#hostOfRefused(name, hash, value)
    if (name.charCodeAt(0) === COLON) {
      if (this.#trailers || this.#regular) this.#refuse('sent out of order pseudo-headers')
      else this.#pseudo(name, value)
      return
    }
    this.#regular = true
    if (soundNames[hash & 0xff] !== name && !this.#checkName(name, hash)) return
    if (!soundValue(value)) {
      this.#refuse(`sent header "${name}" with invalid value: "${loggedValue(name, value)}"`)
      return
    }
    if (hash === COOKIE && name === 'cookie') {
      this.#cookie = this.#cookie === '' ? value : this.#cookie + '; ' + value
      return
    }
    if (REFUSED.has(hash) || hash === TE) this.#connectionField(name, hash, value)
    if (this.#table.count >= this.#limits.countMax) this.#refuse('sent too many header lines', 494)
    else this.#table.addDecoded(name, hash, value)
  }

  /** A head that is refused may still tell which server's settings hold for the answer. */
  #hostOfRefused(name: string, hash: number, value: string): void {
    if (this.#trailers || value === '' || !soundValue(value)) return
    if (name === ':authority' && !this.#authoritySeen) {
      this.#authoritySeen = true
      this.authority = value
    } else if (name === 'host' && this.#table.find(hash, name) < 0) this.#table.addDecoded(name, hash, value)
  }

  /** The block is complete: a head has all that it needs. */
  end(): void {
    if (this.#cookie !== '') this.#table.addDecoded('cookie', COOKIE, this.#cookie)
    if (this.status !== 0 || this.#trailers) return
    if (this.method === '') this.#refuse('sent no :method header')
    else if (this.scheme === '') this.#refuse('sent no :scheme header')
    else if (this.path === '') this.#refuse('sent no :path header')
  }

  /** What a block decodes to is bounded, whatever its fields are worth; single texts are by the decoder. */
  #fits(name: string, value: string): boolean {
    this.#left -= name.length + value.length
    if (name === '') {
      this.excess = 'sent zero header name length'
      this.nameless = true
    } else if (this.#left < 0) this.excess = 'sent too large header'
    else return true
    return false
  }

  #refuse(problem: string, status = 400): void {
    if (this.status !== 0) return
    this.problem = problem
    this.status = status
  }

  /** False: the field is not taken. */
  #checkName(name: string, hash: number): boolean {
    let odd = false
    for (let i = 0; i < name.length; i++) {
      const byte = name.charCodeAt(i)
      const lower = NAME[byte]!
      if (lower === byte && byte !== 0) continue
      if (byte <= SPACE || byte === DEL || byte === COLON || (byte >= UPPER_A && byte <= UPPER_Z)) {
        this.#refuse(`sent invalid header name: "${name}"`)
        return false
      }
      if (byte !== UNDERSCORE || !this.#limits.underscores) odd = true
    }
    if (odd && this.#limits.dropInvalid) {
      this.dropped.push(name)
      return false
    }
    // What the limits of this server allow says nothing about another's.
    if (!odd && !name.includes('_')) soundNames[hash & 0xff] = name
    return true
  }

  #connectionField(name: string, hash: number, value: string): void {
    const known = REFUSED.get(hash)
    if (known?.name === name) this.#refuse(`sent "${known.spelling}" header`)
    if (name !== 'te') return
    if (this.#teSeen || value.toLowerCase() !== 'trailers') this.#refuse('sent invalid "TE" header')
    this.#teSeen = true
  }

  #pseudo(name: string, value: string): void {
    switch (name) {
      case ':method':
        if (this.#single(name, this.method, value)) this.#method(value)
        break
      case ':scheme':
        if (this.#single(name, this.scheme, value)) this.#scheme(value)
        break
      case ':path':
        if (this.#single(name, this.path, value)) this.#path(value)
        break
      case ':protocol':
        if (!this.#single(name, this.protocol, value)) break
        if (soundValue(value)) this.protocol = value
        else this.#refuse(`sent invalid :protocol header: "${value}"`)
        break
      case ':authority':
        if (this.#authoritySeen) this.#refuse('sent duplicate ":authority" header')
        else if (value === '') this.#refuse('sent invalid ":authority" header')
        this.#authoritySeen = true
        this.authority = value
        break
      default:
        this.#refuse(`sent unknown pseudo-header "${name}"`)
    }
  }

  #single(name: string, before: string, value: string): boolean {
    if (before !== '') this.#refuse(`sent duplicate ${name} header`)
    else if (value === '') this.#refuse(`sent empty ${name} header`)
    else return true
    return false
  }

  #method(value: string): void {
    this.method = value
    if (value === 'GET' || value === 'POST') return
    for (let i = 0; i < value.length; i++) {
      if (METHOD[value.charCodeAt(i)] !== 1) return this.#refuse(`sent invalid method: "${value}"`)
    }
  }

  #scheme(value: string): void {
    this.scheme = value
    if (value === 'https' || value === 'http') return
    if (!/^[A-Za-z][A-Za-z0-9+.-]*$/.test(value)) this.#refuse(`sent invalid :scheme header: "${value}"`)
  }

  /** It begins with a slash, even for OPTIONS, as nginx has it. */
  #path(value: string): void {
    this.path = value
    let sound = value.charCodeAt(0) === 0x2f
    for (let i = 1; i < value.length; i++) {
      const byte = value.charCodeAt(i)
      if (byte <= SPACE || byte === DEL) sound = false
    }
    this.pathSound = sound
    if (!sound) this.#refuse(`sent invalid :path header: "${value}"`)
  }
}

/** As in nginx everything but line ends and NUL may stand in a value. */
function soundValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const byte = value.charCodeAt(i)
    if (byte <= CR && (byte === CR || byte === LF || byte === 0)) return false
  }
  return true
}
