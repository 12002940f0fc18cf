/**
 * What `check` asks servers that speak no HTTP, as packets: what is sent once the connection is there, and how an answer
 * is told from something else. An answer may come in any number of pieces.
 */
import { NO_BYTES } from '../../lib/bytes.ts'
import type { ProbeOwner } from '../health.ts'
import type { PeerConnection } from '../pool.ts'
import { type ProbeOptions, TcpProbe } from './tcp.ts'

/** Most of an answer that is looked at. */
const ANSWER_SIZE_MAX = 65536
/** More of the answer is needed. */
const MORE = 'more'

/** One way of asking. */
interface PacketCheck {
  /** Empty: the server speaks first. */
  readonly packet: Buffer
  /** Empty: this is the right answer; MORE; else what is wrong with it. */
  judge(answer: Buffer): string
}

const HANDSHAKE = 0x16
const SERVER_HELLO = 2

/** A ClientHello; one of TLS 1.3 answers it with a HelloRetryRequest, since it offers no key. */
export const SSL_HELLO: PacketCheck = {
  packet: clientHello(),
  judge(answer) {
    if (answer.length < 6) return answer.length > 0 && answer[0] !== HANDSHAKE ? 'upstream sent no TLS handshake' : MORE
    return answer[0] === HANDSHAKE && answer[5] === SERVER_HELLO ? '' : 'upstream sent no ServerHello'
  },
}

/** The greeting of a MySQL server has the number 0: length (3 bytes), number, version. */
export const MYSQL: PacketCheck = {
  packet: NO_BYTES,
  judge: (answer) => (answer.length < 5 ? MORE : answer[3] === 0 ? '' : 'upstream sent no MySQL greeting'),
}

const CPING = Buffer.from([0x12, 0x34, 0, 1, 10])
const CPONG = Buffer.from([0x41, 0x42, 0, 1, 9])

/** A ping of AJP 1.3. */
export const AJP: PacketCheck = {
  packet: CPING,
  judge(answer) {
    if (!CPONG.subarray(0, answer.length).equals(answer.subarray(0, CPONG.length))) return 'upstream sent no CPong'
    return answer.length < CPONG.length ? MORE : ''
  },
}

const FCGI_BEGIN_REQUEST = 1
const FCGI_PARAMS = 4
const FCGI_STDIN = 5
const FCGI_STDOUT = 6
const FCGI_HEAD = 8
const FCGI_RESPONDER = Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])

/** Parameters of a FastCGI request, when the configuration has none. */
export const FASTCGI_PARAMS: readonly (readonly [string, string])[] = [
  ['REQUEST_METHOD', 'GET'],
  ['REQUEST_URI', '/'],
  ['SCRIPT_FILENAME', 'index.php'],
]

/** A FastCGI request; the server is well when `isAlive` says so of the status. */
export function fastcgi(
  params: readonly (readonly [string, string])[],
  isAlive: (status: number) => boolean,
): PacketCheck {
  const pairs = params.map(([name, value]) =>
    Buffer.concat([size(name), size(value), Buffer.from(name + value, 'latin1')]),
  )
  const packet = Buffer.concat([
    record(FCGI_BEGIN_REQUEST, FCGI_RESPONDER),
    record(FCGI_PARAMS, Buffer.concat(pairs)),
    record(FCGI_PARAMS, NO_BYTES),
    record(FCGI_STDIN, NO_BYTES),
  ])
  return { packet, judge: (answer) => judgeFastcgi(answer, isAlive) }
}

function judgeFastcgi(answer: Buffer, isAlive: (status: number) => boolean): string {
  let output = ''
  let at = 0
  while (at + FCGI_HEAD <= answer.length) {
    if (answer[at] !== 1) return 'upstream sent unsupported FastCGI protocol version'
    const length = answer.readUInt16BE(at + 4)
    const from = at + FCGI_HEAD
    if (answer[at + 1] === FCGI_STDOUT) output += answer.latin1Slice(from, Math.min(from + length, answer.length))
    at = from + length + answer[at + 6]!
  }
  const end = /\r?\n\r?\n/.exec(output)
  if (end === null) return MORE
  const status = Number(/^status:[ \t]*(\d{3})/im.exec(output.slice(0, end.index))?.[1] ?? 200)
  return isAlive(status) ? '' : `upstream sent status ${status}`
}

function record(type: number, content: Buffer): Buffer {
  const head = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0])
  return Buffer.concat([head, content])
}

/** A length in one byte, or in four with the highest bit set. */
function size(text: string): Buffer {
  if (text.length < 128) return Buffer.from([text.length])
  const four = Buffer.alloc(4)
  four.writeUInt32BE((text.length | 0x80000000) >>> 0)
  return four
}

function clientHello(): Buffer {
  const ciphers = '1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c009 c013 c00a c014 009c 009d 002f 0035'
  const extensions = [
    extension(0x0a, sized(2, hex('001d 0017 0018'))), // supported_groups
    extension(0x0b, sized(1, hex('00'))), // ec_point_formats
    extension(0x0d, sized(2, hex('0403 0503 0603 0804 0805 0806 0401 0501 0601 0201'))), // signature_algorithms
    extension(0x2b, sized(1, hex('0304 0303 0302 0301'))), // supported_versions
    extension(0x33, sized(2, NO_BYTES)), // key_share
  ]
  const random = Buffer.from('is somebody there, and is it TLS', 'latin1')
  const body = [
    hex('0303'),
    random,
    hex('00'),
    sized(2, hex(ciphers)),
    hex('01 00'),
    sized(2, Buffer.concat(extensions)),
  ]
  const hello = Buffer.concat([hex('01'), sized(3, Buffer.concat(body))])
  return Buffer.concat([hex('16 0301'), sized(2, hello)])
}

function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), sized(2, content)])
}

function sized(bytes: number, content: Buffer): Buffer {
  const length = Buffer.alloc(bytes)
  length.writeUIntBE(content.length, 0, bytes)
  return Buffer.concat([length, content])
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}

/** Sends a packet, and looks at what comes back. */
export class PacketProbe extends TcpProbe {
  readonly #check: PacketCheck
  #answer: Buffer = NO_BYTES

  constructor(owner: ProbeOwner, options: ProbeOptions, check: PacketCheck) {
    super(owner, options)
    this.#check = check
  }

  protected override onOpen(connection: PeerConnection): void {
    this.#answer = NO_BYTES
    if (this.#check.packet.length > 0) connection.wire.writeBytes(this.#check.packet, true)
    this.doing = 'reading upstream'
    this.alive()
  }

  override onBytes(buffer: Buffer, size: number): void {
    this.alive()
    this.#answer = Buffer.concat([this.#answer, buffer.subarray(0, size)])
    const problem = this.#check.judge(this.#answer)
    if (problem !== MORE) this.result(problem === '', problem)
    else if (this.#answer.length > ANSWER_SIZE_MAX) this.result(false, 'upstream sent too much')
  }
}
