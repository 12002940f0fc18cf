/**
 * FastCGI's records, which carry everything both ways:
 *
 *   version | type | request id (2) | content length (2) | padding length | reserved | content ... | padding ...
 *
 * There is one request at a time on a connection, and its number is 1 (ngx_http_fastcgi_process_record).
 */
import type { Wire } from '../../../net/wire.ts'
import type { BodyRecords } from '../codec.ts'
import type { ParamSink } from '../compile/cgi-params.ts'

const BEGIN_REQUEST = 1
/** The type of the record that ends an answer. */
export const END_REQUEST = 3
const PARAMS = 4
const STDIN = 5
/** The type of records of the answer. */
export const STDOUT = 6
/** The type of records for the log. */
export const STDERR = 7

const HEAD_SIZE = 8
const CONTENT_MAX = 65535
/** A body goes out in pieces of this size. */
const STDIN_PIECE = 32768
const RESPONDER = 1
/** Where a request says whether the connection is to stay. */
const FLAGS_AT = HEAD_SIZE + 2
const ONE_BYTE: readonly string[] = Array.from({ length: 128 }, (_, size) => String.fromCharCode(size))
const PADDING: readonly string[] = Array.from({ length: 8 }, (_, size) => '\0'.repeat(size))

/** A record's head; what follows it is padded to a multiple of 8 bytes. */
function recordHead(type: number, size: number): string {
  return String.fromCharCode(1, type, 0, 1, size >> 8, size & 255, -size & 7, 0)
}

const PARAMS_END = recordHead(PARAMS, 0)

/** How a request begins, by whether the connection is to stay open behind it. */
function requestBegin(keep: boolean): string {
  return recordHead(BEGIN_REQUEST, 8) + String.fromCharCode(0, RESPONDER, keep ? 1 : 0, 0, 0, 0, 0, 0)
}

const BEGIN = requestBegin(false)
const BEGIN_KEPT = requestBegin(true)

/** Tells of a request as it was sent whether its connection is to stay open. */
export function isKept(sent: string): boolean {
  return sent.charCodeAt(FLAGS_AT) === 1
}

/** A size in one byte, or in four with the highest bit set. */
function sizeText(size: number): string {
  if (size < 128) return ONE_BYTE[size]!
  return String.fromCharCode((size >>> 24) | 0x80, (size >> 16) & 255, (size >> 8) & 255, size & 255)
}

/** Collects the parameters of a request. */
export class FastcgiParams implements ParamSink {
  #text = ''
  #records = ''
  /** Size of a parameter that fits into no record, or 0. */
  tooBig = 0

  begin(): void {
    this.#text = this.#records = ''
    this.tooBig = 0
  }

  add(name: string, value: string): void {
    const pair = sizeText(name.length) + sizeText(value.length) + name + value
    if (this.#text.length + pair.length > CONTENT_MAX) this.#flush(pair.length)
    this.#text += pair
  }

  /** php-fpm does not understand a parameter that goes on in the next record. */
  #flush(next: number): void {
    if (this.#text !== '') this.#records += paramsRecord(this.#text)
    this.#text = ''
    if (next > CONTENT_MAX) this.tooBig = next
  }

  /** The request with all of them, up to its body. */
  finish(keep: boolean): string {
    const rest = this.#text === '' ? '' : paramsRecord(this.#text)
    return (keep ? BEGIN_KEPT : BEGIN) + this.#records + rest + PARAMS_END
  }
}

function paramsRecord(text: string): string {
  return recordHead(PARAMS, text.length) + text + PADDING[-text.length & 7]!
}

/** The last value of a parameter in a request as it was sent; undefined when it has none. For logs. */
export function paramOf(sent: string, wanted: string): string | undefined {
  let found: string | undefined
  const size = (at: number): number => sent.charCodeAt(at) * 256 + sent.charCodeAt(at + 1)
  for (let record = BEGIN.length; sent.charCodeAt(record + 1) === PARAMS; ) {
    const end = record + HEAD_SIZE + size(record + 4)
    for (let at = record + HEAD_SIZE; at < end; ) {
      const name = readSize(sent, at)
      at += name < 128 ? 1 : 4
      const value = readSize(sent, at)
      at += value < 128 ? 1 : 4
      if (sent.startsWith(wanted, at) && name === wanted.length) found = sent.slice(at + name, at + name + value)
      at += name + value
    }
    record = end + sent.charCodeAt(record + 6)
  }
  return found
}

function readSize(text: string, at: number): number {
  const first = text.charCodeAt(at)
  if (first < 128) return first
  return (
    ((first & 127) << 24) | (text.charCodeAt(at + 1) << 16) | (text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3)
  )
}

/** The body of a request, in records of its own. */
export const STDIN_RECORDS: BodyRecords = {
  end: recordHead(STDIN, 0),
  write(wire: Wire, bytes: Uint8Array, stable: boolean): void {
    for (let at = 0; at < bytes.length; at += STDIN_PIECE) {
      const size = Math.min(STDIN_PIECE, bytes.length - at)
      wire.write(recordHead(STDIN, size))
      wire.writeBytes(bytes.subarray(at, at + size), stable)
      const padding = -size & 7
      if (padding > 0) wire.write(PADDING[padding]!)
    }
  },
}

/** A text as the content of records of an answer, without padding behind the last of them. */
export function stdoutRecords(text: string): string {
  let records = ''
  for (let at = 0; at < text.length; at += CONTENT_MAX) {
    const piece = text.slice(at, at + CONTENT_MAX)
    records += String.fromCharCode(1, STDOUT, 0, 1, piece.length >> 8, piece.length & 255, 0, 0) + piece
  }
  return records
}

/** Reads the head of one record after the other, in whatever pieces it comes. */
export class RecordReader {
  type = 0
  /** What is still to come of the content, and of the padding behind it. */
  length = 0
  padding = 0
  /** What is wrong with the head, or empty. */
  problem = ''
  #count = 0

  begin(): void {
    this.type = this.length = this.padding = this.#count = 0
    this.problem = ''
  }

  /** The head is complete: content follows, then padding, then `next`. */
  get inside(): boolean {
    return this.#count === HEAD_SIZE
  }

  /** Nothing of another record has come. */
  get between(): boolean {
    return this.#count === 0
  }

  /** The record is over. */
  next(): void {
    this.#count = 0
  }

  /** Reads on; returns where it stopped, which is behind the head once `inside`. */
  read(buffer: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && this.#count < HEAD_SIZE && this.problem === '') this.#byte(this.#count++, buffer[at++]!)
    return at
  }

  #byte(at: number, byte: number): void {
    switch (at) {
      case 0:
        if (byte !== 1) this.problem = `upstream sent unsupported FastCGI protocol version: ${byte}`
        return
      case 1:
        this.type = byte
        if (byte !== STDOUT && byte !== STDERR && byte !== END_REQUEST) {
          this.problem = `upstream sent invalid FastCGI record type: ${byte}`
        }
        return
      case 2:
        if (byte !== 0) this.problem = `upstream sent unexpected FastCGI request id high byte: ${byte}`
        return
      case 3:
        if (byte !== 1) this.problem = `upstream sent unexpected FastCGI request id low byte: ${byte}`
        return
      case 4:
        this.length = byte << 8
        return
      case 5:
        this.length |= byte
        return
      case 6:
        this.padding = byte
    }
  }
}
