/**
 * DNS messages between bytes and values (RFC 1035, RFC 2782): one question asked, one answer understood. Nothing here
 * trusts a message: every length is checked before it is used, compression pointers only lead backwards, and what does
 * not fit is reported in nginx's words instead of being guessed.
 */
import { formatIp } from '../lib/ip.ts'

/** Record types that are asked for. */
export const TYPE_A = 1
const TYPE_CNAME = 5
export const TYPE_AAAA = 28
export const TYPE_SRV = 33
const TYPE_DNAME = 39

const CLASS_IN = 1
const HEADER_SIZE = 12
const QUESTION_TAIL = 4
/** Type, class, time to live and length; the shortest name in front of them is a pointer. */
const RECORD_HEAD = 10
const RECORD_SIZE_MIN = 2 + RECORD_HEAD
const LABEL_SIZE_MAX = 63
const NAME_SIZE_MAX = 253
/** nginx's limit: enough for the longest name. */
const NAME_STEPS_MAX = 128
const TTL_MAX_S = 7 * 86_400
/** Aliases in a row that are followed within one answer. */
const ALIASES_MAX = 50

const RESPONSE_BITS = 0xf870
const RESPONSE = 0x8000
const TRUNCATED = 0x0200
const RECURSION_DESIRED = 0x0100

/** Response codes that nginx knows. */
export const FORMAT_ERROR = 1
export const REFUSED = 5

/** One record of an answer; which fields mean something depends on the type. */
export interface DnsRecord {
  /** Lower case, without the last dot; '' is the root. */
  readonly name: string
  readonly type: number
  readonly ttlS: number
  /** Of A and AAAA, as text. */
  readonly address: string
  /** Of CNAME and SRV. */
  readonly target: string
  readonly priority: number
  readonly weight: number
  readonly port: number
}

/** A response that could be read. Without `name` (codes 1 and above 5) there is nothing but id and code. */
export interface DnsResponse {
  readonly id: number
  readonly code: number
  /** There is more over TCP; then `records` is empty. */
  readonly truncated: boolean
  readonly name: string
  readonly type: number
  readonly records: readonly DnsRecord[]
}

/** Builds a query for one name; undefined when the name cannot be asked for. */
export function encodeQuery(id: number, name: string, type: number): Buffer | undefined {
  if (name === '' || name.length > NAME_SIZE_MAX) return undefined
  const bytes = Buffer.alloc(HEADER_SIZE + name.length + 2 + QUESTION_TAIL)
  put16(bytes, 0, id)
  put16(bytes, 2, RECURSION_DESIRED)
  put16(bytes, 4, 1)
  let at = HEADER_SIZE
  for (const label of name.split('.')) {
    if (label === '' || label.length > LABEL_SIZE_MAX) return undefined
    bytes[at++] = label.length
    for (let i = 0; i < label.length; i++) bytes[at++] = label.charCodeAt(i)
  }
  put16(bytes, at + 1, type)
  put16(bytes, at + 3, CLASS_IN)
  return bytes
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8
  bytes[at + 1] = value
}

/** Reads a response to a standard query; a text says what is wrong with it. It never throws and keeps no bytes. */
export function parseResponse(bytes: Uint8Array, tcp: boolean): DnsResponse | string {
  if (bytes.length < HEADER_SIZE) return SHORT
  const reader = new Reader(bytes)
  const [id, flags, questions, answers] = [reader.u16(), reader.u16(), reader.u16(), reader.u16()]
  const truncated = (flags & TRUNCATED) !== 0
  if ((flags & RESPONSE_BITS) !== RESPONSE || (truncated && tcp)) {
    const hex = flags.toString(16).toUpperCase().padStart(4, '0')
    return `invalid ${tcp ? 'TCP' : 'UDP'} DNS response ${id} fl:${hex}`
  }
  const code = flags & 15
  if (code === FORMAT_ERROR || code > REFUSED) return { id, code, truncated, name: '', type: 0, records: [] }
  if (questions !== 1) return 'invalid number of questions in DNS response'
  reader.at = HEADER_SIZE
  const name = reader.question()
  if (reader.problem !== '') return reader.problem
  const type = reader.u16()
  const dnsClass = reader.u16()
  if (!truncated && reader.at + answers * RECORD_SIZE_MIN > bytes.length) return SHORT
  if (dnsClass !== CLASS_IN) return `unknown query class ${dnsClass} in DNS response`
  if (type !== TYPE_A && type !== TYPE_AAAA && type !== TYPE_SRV) return `unknown query type ${type} in DNS response`
  const records: DnsRecord[] = []
  if (!truncated && code === 0) {
    for (let i = 0; i < answers && reader.problem === ''; i++) reader.record(type, records)
  }
  return reader.problem === '' ? { id, code, truncated, name, type, records } : reader.problem
}

const SHORT = 'short DNS response'
const NAME_INVALID = 'invalid name in DNS response'

/** A place in a message. The first problem stays; after it, what is read means nothing. */
class Reader {
  readonly #bytes: Uint8Array
  at = 0
  problem = ''

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  u16(): number {
    const at = this.at
    this.at += 2
    if (this.at > this.#bytes.length) return this.#fail(SHORT)
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!
  }

  #fail(problem: string): 0 {
    if (this.problem === '') this.problem = problem
    return 0
  }

  /** The name of the question: it stands first, so there is nothing that it could point to. */
  question(): string {
    const bytes = this.#bytes
    for (let at = this.at; at < bytes.length; at += 1 + bytes[at]!) {
      if ((bytes[at]! & 0xc0) !== 0) {
        this.#fail('unexpected compression pointer in DNS response')
        return ''
      }
      if (bytes[at] !== 0) continue
      if (at === this.at) this.#fail('zero-length domain name in DNS response')
      else if (at + 1 + QUESTION_TAIL > bytes.length) this.#fail(SHORT)
      return this.name()
    }
    this.#fail(SHORT)
    return ''
  }

  /** A name with its pointers followed; `at` moves behind its own bytes. */
  name(): string {
    const bytes = this.#bytes
    let name = ''
    let at = this.at
    let start = at
    let end = 0
    for (let step = 0; step < NAME_STEPS_MAX; step++) {
      const size = bytes[at]
      if (size === undefined) return this.#badName('name is out of DNS response')
      if (size === 0) {
        this.at = end === 0 ? at + 1 : end
        return name
      }
      if ((size & 0xc0) === 0xc0) {
        const low = bytes[at + 1]
        if (low === undefined) return this.#badName('name is out of DNS response')
        if (end === 0) end = at + 2
        at = ((size & 0x3f) << 8) | low
        // A pointer names a prior occurrence (RFC 1035, section 4.1.4): so it cannot loop.
        if (at >= start) return this.#badName('compression pointers loop in DNS response')
        start = at
        continue
      }
      if (size > LABEL_SIZE_MAX) return this.#badName('invalid label type in DNS response')
      if (at + 1 + size > bytes.length) return this.#badName('name is out of DNS response')
      const label = labelAt(bytes, at + 1, size)
      if (label.includes('.') || name.length + label.length >= NAME_SIZE_MAX) return this.#badName(NAME_INVALID)
      name = name === '' ? label : `${name}.${label}`
      at += 1 + size
    }
    return this.#badName('compression pointers loop in DNS response')
  }

  #badName(problem: string): string {
    this.#fail(problem)
    return ''
  }

  /** Reads the next record of an answer to a question of `asked`. */
  record(asked: number, records: DnsRecord[]): void {
    const before = this.at
    const name = this.name()
    if (this.problem !== '') return
    if (this.at - before < 2) return void this.#fail(NAME_INVALID)
    const type = this.u16()
    const dnsClass = this.u16()
    const ttlHigh = this.u16()
    const ttlLow = this.u16()
    const size = this.u16()
    const end = this.at + size
    if (end > this.#bytes.length) return void this.#fail(SHORT)
    if (dnsClass !== CLASS_IN) return void this.#fail(`unexpected RR class ${dnsClass} in DNS response`)
    // A negative time counts as none (RFC 2181, section 8).
    const ttlS = ttlHigh >= 0x8000 ? 0 : Math.min(TTL_MAX_S, ttlHigh * 65536 + ttlLow)
    const record = { name, type, ttlS, address: '', target: '', priority: 0, weight: 0, port: 0 }
    this.#data(asked, record, size)
    if (this.problem === '' && this.at > end) this.#fail(SHORT)
    this.at = end
    records.push(record)
  }

  #data(asked: number, record: { -readonly [K in keyof DnsRecord]: DnsRecord[K] }, size: number): void {
    const { type } = record
    if (type === TYPE_A || type === TYPE_AAAA) {
      const kind = type === TYPE_A ? 'A' : 'AAAA'
      if (asked !== TYPE_SRV && asked !== type) this.#fail(`unexpected ${kind} record in DNS response`)
      else if (size !== (type === TYPE_A ? 4 : 16)) this.#fail(`invalid ${kind} record in DNS response`)
      else record.address = formatIp(latin1(this.#bytes, this.at, size))
    } else if (type === TYPE_CNAME) record.target = this.name()
    else if (type === TYPE_SRV) {
      record.priority = this.u16()
      record.weight = this.u16()
      record.port = this.u16()
      record.target = this.name()
    }
  }
}

function labelAt(bytes: Uint8Array, start: number, size: number): string {
  return latin1(bytes, start, size).replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function latin1(bytes: Uint8Array, start: number, size: number): string {
  let text = ''
  for (let i = start; i < start + size; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

/** What an answer says about the name that was asked for. */
export interface Findings {
  readonly records: readonly DnsRecord[]
  /** The name at the end of the chain of aliases, or '' when there is none. */
  readonly cname: string
  /** How long all of it is good. */
  readonly ttlS: number
  /** The first type that nobody asked for, or 0. */
  readonly strangeType: number
}

/**
 * Picks what may be believed: records of the type asked for that belong to the name asked for or to one that its aliases
 * lead to. What an answer says about other names is nobody's business here, however it got there.
 */
export function findingsOf(response: DnsResponse): Findings {
  const chain = new Set([response.name])
  let ttlS = TTL_MAX_S
  let cname = ''
  for (let last = response.name, alias: DnsRecord | undefined; ; last = cname) {
    alias = response.records.find((record) => record.type === TYPE_CNAME && record.name === last)
    if (alias === undefined || chain.has(alias.target) || chain.size > ALIASES_MAX) break
    chain.add(alias.target)
    cname = alias.target
    ttlS = Math.min(ttlS, alias.ttlS)
    if (cname === '') break
  }
  const hasAlias = chain.size > 1
  const records = response.records.filter((record) => record.type === response.type && chain.has(record.name))
  for (const record of records) ttlS = Math.min(ttlS, record.ttlS)
  const strange = response.records.find(
    ({ type }) => type !== response.type && type !== TYPE_CNAME && type !== TYPE_DNAME,
  )
  return { records, cname: hasAlias ? cname || ROOT : '', ttlS, strangeType: strange?.type ?? 0 }
}

/** The root as the target of an alias: a name that cannot be asked for. */
const ROOT = '.'
