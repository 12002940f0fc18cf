/**
 * A name server of the test suite's own, over UDP and TCP on one port:
 *
 *     await using dns = await DnsServer.start()
 *     dns.set('a.test', { A: ['127.0.0.1'], ttl: 1 })
 *
 * What it sends is built here byte by byte, and not by the code under test.
 */
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { parseIp } from '../../src/lib/ip.ts'
import { freePorts } from './ports.ts'

/** Record types by name. */
export const TYPES = { A: 1, CNAME: 5, AAAA: 28, SRV: 33, DNAME: 39, TXT: 16 } as const

/** What is known about a name. `CNAME` alone is sent for every type. */
export interface Zone {
  readonly A?: readonly string[]
  readonly AAAA?: readonly string[]
  /** `priority weight port target`. */
  readonly SRV?: readonly string[]
  readonly CNAME?: string
  readonly ttl?: number
  /** Response code instead of records. */
  readonly code?: number
  /** No answer at all. */
  readonly silent?: boolean
  /** Over UDP only the sign that there is more. */
  readonly truncated?: boolean
}

/** One question as it arrived. */
export interface Asked {
  readonly id: number
  readonly name: string
  readonly type: number
  readonly tcp: boolean
  /** The port that asked. */
  readonly from: number
}

/** Builds the bytes to send back for a question, or says nothing. */
export type Answerer = (asked: Asked, query: Buffer) => Buffer | readonly Buffer[] | undefined

/** A running name server; `asked` holds every question in the order of arrival. */
export class DnsServer {
  readonly port: number
  readonly asked: Asked[] = []
  readonly #zones = new Map<string, Zone>()
  readonly #udp: dgram.Socket
  readonly #tcp: net.Server
  readonly #senders = new WeakMap<Buffer, dgram.RemoteInfo>()
  /** Replaces the answers from zones. */
  answerer: Answerer = (asked, query) => this.answer(asked, query)
  #wake: (() => void)[] = []

  private constructor(port: number) {
    this.port = port
    this.#udp = dgram.createSocket('udp4')
    this.#udp.on('message', (query, from) => {
      this.#senders.set(query, from)
      for (const bytes of this.#handle(query, from.port, false)) this.#udp.send(bytes, from.port, from.address)
    })
    this.#tcp = net.createServer((socket) => {
      let bytes = Buffer.alloc(0)
      socket.on('error', () => {})
      socket.on('data', (more) => {
        bytes = Buffer.concat([bytes, more])
        while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
          const end = 2 + bytes.readUInt16BE(0)
          for (const answer of this.#handle(bytes.subarray(2, end), socket.remotePort ?? 0, true)) {
            socket.write(Buffer.concat([u16(answer.length), answer]))
          }
          bytes = bytes.subarray(end)
        }
      })
    })
  }

  static async start(port?: number): Promise<DnsServer> {
    const server = new DnsServer(port ?? (await freePorts(1))[0]!)
    await new Promise<void>((resolve) => server.#udp.bind(server.port, '127.0.0.1', resolve))
    // A port that somebody else has taken is an error, and nothing to wait for.
    await once(server.#tcp.listen(server.port, '127.0.0.1'), 'listening')
    return server
  }

  set(name: string, zone: Zone): void {
    this.#zones.set(name, zone)
  }

  /** Answers a question over UDP that the answerer left alone. */
  reply(query: Buffer): void {
    const from = this.#senders.get(query)
    const { name, end } = readName(query)
    const answer = this.answer({ id: 0, name, type: query.readUInt16BE(end), tcp: false, from: 0 }, query)
    if (from !== undefined && answer !== undefined) this.#udp.send(answer, from.port, from.address)
  }

  /** Resolves when `count` questions have arrived. */
  async until(count: number): Promise<void> {
    while (this.asked.length < count) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  #handle(query: Buffer, from: number, tcp: boolean): readonly Buffer[] {
    const { name, end } = readName(query)
    const asked = { id: query.readUInt16BE(0), name, type: query.readUInt16BE(end), tcp, from }
    this.asked.push(asked)
    for (const wake of this.#wake.splice(0)) wake()
    const answer = this.answerer(asked, query)
    if (answer === undefined) return []
    return Buffer.isBuffer(answer) ? [answer] : (answer as readonly Buffer[])
  }

  /** The answer from the zones. */
  answer({ name, type, tcp }: Asked, query: Buffer): Buffer | undefined {
    const zone = this.#zones.get(name)
    if (zone === undefined) return response(query, [], { code: 3 })
    if (zone.silent) return undefined
    const { ttl = 60, code = 0 } = zone
    if (zone.truncated && !tcp) return response(query, [], { flags: 0x0200 })
    const records: Buffer[] = []
    if (zone.CNAME !== undefined) records.push(record(name, TYPES.CNAME, ttl, encodeName(zone.CNAME)))
    if (type === TYPES.A) for (const a of zone.A ?? []) records.push(address(name, a, ttl))
    if (type === TYPES.AAAA) for (const a of zone.AAAA ?? []) records.push(address(name, a, ttl))
    if (type === TYPES.SRV) for (const line of zone.SRV ?? []) records.push(record(name, TYPES.SRV, ttl, srv(line)))
    return response(query, code === 0 ? records : [], { code })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()))
    await new Promise<void>((resolve) => this.#tcp.close(() => resolve()))
  }
}

/** A response to a query with these records. */
export function response(
  query: Buffer,
  records: readonly Buffer[],
  { code = 0, flags = 0, id = query.readUInt16BE(0) } = {},
): Buffer {
  const question = query.subarray(12, readName(query).end + 4)
  const head = Buffer.concat([u16(id), u16(0x8180 | flags | code), u16(1), u16(records.length), u16(0), u16(0)])
  return Buffer.concat([head, question, ...records])
}

/** One record. */
export function record(name: string, type: number, ttl: number, data: Buffer): Buffer {
  const time = Buffer.alloc(4)
  time.writeUInt32BE(ttl)
  return Buffer.concat([encodeName(name), u16(type), u16(1), time, u16(data.length), data])
}

/** An A or AAAA record. */
export function address(name: string, text: string, ttl = 60): Buffer {
  const bytes = Buffer.from(parseIp(text)!, 'latin1')
  return record(name, bytes.length === 4 ? TYPES.A : TYPES.AAAA, ttl, bytes)
}

function srv(line: string): Buffer {
  const [priority, weight, port, target] = line.split(' ')
  return Buffer.concat([u16(Number(priority)), u16(Number(weight)), u16(Number(port)), encodeName(target!)])
}

/** The bytes of a name without pointers. */
export function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '')
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.alloc(1),
  ])
}

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (; query[at] !== 0; at += 1 + query[at]!) labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!))
  return { name: labels.join('.'), end: at + 1 }
}

/** Two bytes, the high one first. */
export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255])
}
