/**
 * HTTP/2 connections that break no rule and make use of all of them: streams side by side, bodies in pieces, fields in every
 * representation that HPACK has, frames that mean nothing here, small windows; in pieces cut anywhere. Every stream has
 * to be answered. And blocks of HPACK that are none, which must not harm anybody but their own connection.
 */
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frameHead,
  HEADERS,
  PADDED,
  PING,
  PRIORITY,
  PRIORITY_FLAG,
  settingsFrame,
  windowUpdate,
} from '../../src/http/h2/wire/frames.ts'
import type { Dice } from './dice.ts'
import { H2Client, u32Text } from './h2-client.ts'

/** What may be asked for, and the statuses that answer a request without a body and one with. */
export type Targets = readonly (readonly [path: string, plain: number, withBody: number])[]

const STREAMS_MAX = 30
/** More than all responses together. */
const WINDOW = 100_000_000

/** Opens streams on one connection and waits for all answers; fails when one is missing or wrong. */
export async function askLegally(port: number, dice: Dice, targets: Targets, tls: boolean): Promise<void> {
  const settings = dice.below(2) === 0 ? [] : [[4, dice.of([1, 2000, 65535, 1_000_000])] as const]
  // Nothing may be written by itself between the pieces of a frame.
  const client = await H2Client.connect(port, { tls, settings, greedy: false })
  try {
    const table = new Table()
    const expected: (readonly [stream: number, status: number])[] = []
    const queues = Array.from({ length: 1 + dice.below(STREAMS_MAX) }, (_, n) => {
      const [path, plain, withBody] = dice.of(targets)
      const pieces = dice.below(3) === 0 ? 1 + dice.below(4) : 0
      expected.push([1 + 2 * n, pieces > 0 ? withBody : plain])
      return { stream: 1 + 2 * n, path, pieces, opened: false }
    })
    let text = ''
    // Streams are opened in order; what follows on them is mixed.
    for (let next = 0; next < queues.length || queues.some(({ pieces }) => pieces > 0); ) {
      const ready = queues.filter(({ opened, pieces }) => opened && pieces > 0)
      if (next < queues.length && (ready.length === 0 || dice.below(2) === 0)) {
        const one = queues[next++]!
        one.opened = true
        text += head(dice, table, one.stream, one.path, one.pieces > 0)
      } else {
        const one = dice.of(ready)
        one.pieces--
        text += body(dice, one.stream, one.pieces === 0)
      }
      if (dice.below(3) === 0) text += aside(dice)
    }
    await inPieces(client, Buffer.from(text, 'latin1'), dice)
    client.write(windowUpdate(0, WINDOW) + expected.map(([stream]) => windowUpdate(stream, WINDOW)).join(''))
    for (const [stream, status] of expected) {
      const response = await client.response(stream)
      if (response.status !== status) throw new Error(`stream ${stream}: ${JSON.stringify(response).slice(0, 300)}`)
    }
  } finally {
    client.close()
  }
}

/** Blocks of any bytes; the connection ends or goes on, and nothing else happens. */
export async function askStrangely(port: number, dice: Dice, tls: boolean): Promise<void> {
  const client = await H2Client.connect(port, { tls, greedy: false })
  try {
    const table = new Table()
    for (let n = 0; n < 1 + dice.below(6) && !client.ended; n++) {
      const block = dice.below(2) === 0 ? noise(dice) : spoilt(fields(dice, table, '/', 'GET'), dice)
      await inPieces(client, Buffer.from(headers(dice, 1 + 2 * n, block, false), 'latin1'), dice)
    }
  } finally {
    client.close()
  }
}

async function inPieces(client: H2Client, bytes: Buffer, dice: Dice): Promise<void> {
  for (let at = 0; at < bytes.length && !client.ended; ) {
    const size = dice.below(2) === 0 ? 1 + dice.below(30) : 1 + dice.below(bytes.length)
    client.write(bytes.subarray(at, at + size))
    at += size
    if (dice.below(4) === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

function head(dice: Dice, table: Table, stream: number, path: string, more: boolean): string {
  return headers(dice, stream, fields(dice, table, path, more ? 'POST' : 'GET'), more)
}

/** HEADERS with what may come along, and CONTINUATION. */
function headers(dice: Dice, stream: number, block: string, more: boolean): string {
  const end = more ? 0 : END_STREAM
  const padding = dice.below(4) === 0 ? dice.below(20) : -1
  const priority = dice.below(4) === 0 ? `${u32Text(0)}\x20` : ''
  const cut = dice.below(3) === 0 ? 1 + dice.below(block.length) : block.length
  const first = block.slice(0, cut)
  const payload =
    (padding >= 0 ? String.fromCharCode(padding) : '') + priority + first + '\0'.repeat(Math.max(0, padding))
  const flags = end | (padding >= 0 ? PADDED : 0) | (priority === '' ? 0 : PRIORITY_FLAG)
  if (cut === block.length) return frameHead(payload.length, HEADERS, flags | END_HEADERS, stream) + payload
  const rest = block.slice(cut)
  return (
    frameHead(payload.length, HEADERS, flags, stream) +
    payload +
    frameHead(rest.length, CONTINUATION, END_HEADERS, stream) +
    rest
  )
}

function body(dice: Dice, stream: number, last: boolean): string {
  const size = dice.below(200)
  const padding = dice.below(3) === 0 ? dice.below(30) : -1
  const payload =
    (padding >= 0 ? String.fromCharCode(padding) : '') + 'b'.repeat(size) + '\0'.repeat(Math.max(0, padding))
  return frameHead(payload.length, DATA, (last ? END_STREAM : 0) | (padding >= 0 ? PADDED : 0), stream) + payload
}

/** Frames that change nothing. */
function aside(dice: Dice): string {
  switch (dice.below(5)) {
    case 0:
      return `${frameHead(8, PING, 0, 0)}12345678`
    case 1:
      return `${frameHead(5, PRIORITY, 0, 1 + 2 * dice.below(100))}${u32Text(0)}\x10`
    case 2:
      return windowUpdate(0, 1 + dice.below(1000))
    case 3:
      return settingsFrame([[3, dice.below(100)]])
    default:
      return `${frameHead(6, 0x50 + dice.below(100), dice.below(256), 0)}nobody`
  }
}

/** The names that an encoder has put into the table of the connection. */
class Table {
  readonly entries: (readonly [string, string])[] = []

  add(name: string, value: string): void {
    this.entries.unshift([name, value])
    // The table is far from full at this number of short fields.
    if (this.entries.length > 20) this.entries.length = 20
  }
}

const STATIC_METHOD = 2
const STATIC_PATH = 4
const STATIC_SCHEME = 6
const STATIC_AUTHORITY = 1
const STATIC_COUNT = 61

function fields(dice: Dice, table: Table, path: string, method: string): string {
  let text = method === 'GET' && dice.below(2) === 0 ? '\x82' : field(dice, table, STATIC_METHOD, ':method', method)
  text += field(dice, table, STATIC_PATH, ':path', path)
  text += dice.below(2) === 0 ? '\x86' : field(dice, table, STATIC_SCHEME, ':scheme', 'http')
  text += field(dice, table, STATIC_AUTHORITY, ':authority', 'localhost')
  for (let n = dice.below(5); n > 0; n--)
    text += field(dice, table, 0, `x-${dice.below(6)}`, 'v'.repeat(dice.below(40)))
  return text
}

/** One field in one of the ways that RFC 7541, section 6, has for it. */
function field(dice: Dice, table: Table, nameIndex: number, name: string, value: string): string {
  const known = table.entries.findIndex(([n, v]) => n === name && v === value)
  if (known >= 0 && dice.below(4) > 0) return integer(0x80, 7, STATIC_COUNT + 1 + known)
  const named = nameIndex > 0 ? nameIndex : STATIC_COUNT + 1 + table.entries.findIndex(([n]) => n === name)
  const byIndex = (nameIndex > 0 || named > STATIC_COUNT) && dice.below(3) > 0
  const [pattern, bits] = dice.of([
    [0x40, 6],
    [0x00, 4],
    [0x10, 4],
  ] as const)
  const text = integer(pattern, bits, byIndex ? named : 0) + (byIndex ? '' : literal(name)) + literal(value)
  if (pattern === 0x40) table.add(name, value)
  return text
}

function literal(text: string): string {
  return integer(0, 7, text.length) + text
}

/** RFC 7541, section 5.1. */
function integer(pattern: number, bits: number, value: number): string {
  const most = (1 << bits) - 1
  if (value < most) return String.fromCharCode(pattern | value)
  let text = String.fromCharCode(pattern | most)
  for (let rest = value - most; ; rest >>>= 7) {
    if (rest < 128) return text + String.fromCharCode(rest)
    text += String.fromCharCode((rest & 127) | 128)
  }
}

function noise(dice: Dice): string {
  return Array.from({ length: dice.below(300) }, () => String.fromCharCode(dice.below(256))).join('')
}

function spoilt(block: string, dice: Dice): string {
  const at = dice.below(block.length)
  return block.slice(0, at) + String.fromCharCode(dice.below(256)) + block.slice(at + dice.below(3))
}
