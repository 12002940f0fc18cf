/** HTTP/2 connections that begin well and go wrong: mutated, cut anywhere, given up anywhere; from a seed, so that a failure repeats. */
import net from 'node:net'
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frameHead,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  rstStream,
  SETTINGS,
  settingsFrame,
  windowUpdate,
} from '../../src/http/h2/wire/frames.ts'
import { encodeField } from '../../src/http/h2/wire/hpack-encoder.ts'
import type { Dice } from './dice.ts'
import { blockOf, requestFields, u32Text } from './h2-client.ts'

const FRAMES_MAX = 24
/** How long the server has for the end of a connection. */
const WAIT_MS = 40

/** Speaks on one connection; resolves when it is over. `paths` are what is asked for. */
export async function fuzzConnection(port: number, dice: Dice, paths: readonly string[]): Promise<void> {
  const bytes = Buffer.from(session(dice, paths), 'latin1')
  for (let n = dice.below(4); n > 0; n--) mutate(bytes, dice)
  const socket = net.connect(port, '127.0.0.1').setNoDelay(true)
  const { promise: over, resolve } = Promise.withResolvers<void>()
  socket.on('error', () => {}).on('close', () => resolve())
  socket.on('end', () => socket.destroy())
  if (dice.below(4) > 0) socket.resume()
  for (let at = 0; at < bytes.length && !socket.destroyed; ) {
    const size = dice.below(3) === 0 ? 1 + dice.below(20) : 1 + dice.below(bytes.length)
    const piece = bytes.subarray(at, at + size)
    at += size
    await Promise.race([over, new Promise<void>((done) => socket.write(piece, () => done()))])
  }
  if (dice.below(3) === 0) socket.end()
  setTimeout(() => socket.destroy(), dice.below(2) === 0 ? 0 : dice.below(WAIT_MS))
  await over
}

function session(dice: Dice, paths: readonly string[]): string {
  let text = PREFACE + settingsFrame(dice.below(2) === 0 ? [] : [[4, dice.of([0, 1, 100, 65535, 2 ** 31 - 1])]])
  let last = -1
  for (let n = dice.below(FRAMES_MAX); n >= 0; n--) {
    const known = last < 0 ? 1 : 1 + 2 * dice.below((last + 1) / 2)
    if (dice.below(3) === 0) {
      last += 2
      text += request(dice, last, dice.of(paths))
    } else text += frame(dice, known)
  }
  return text
}

function request(dice: Dice, id: number, path: string): string {
  const fields = [...requestFields({ path, method: dice.of(['GET', 'POST', 'HEAD', 'PUT']) })]
  if (dice.below(3) === 0) fields.push(['content-length', String(dice.below(40))])
  if (dice.below(4) === 0) fields.push(['cookie', 'a=b'], ['cookie', 'c=d'])
  if (dice.below(6) === 0) fields.push(['expect', '100-continue'])
  if (dice.below(8) === 0) fields.push([dice.of(['te', 'connection', 'X-Up', 'x y', '']), 'trailers'])
  if (dice.below(8) === 0) fields.splice(0, 1, [':method', 'CONNECT'], [':protocol', 'websocket'])
  const block = blockOf(fields)
  const end = dice.below(2) === 0 ? END_STREAM : 0
  if (dice.below(4) > 0) return frameHead(block.length, HEADERS, END_HEADERS | end, id) + block
  const cut = dice.below(block.length)
  const rest = block.slice(cut)
  return (
    frameHead(cut, HEADERS, end, id) +
    block.slice(0, cut) +
    frameHead(rest.length, CONTINUATION, END_HEADERS, id) +
    rest
  )
}

function frame(dice: Dice, id: number): string {
  const size = dice.below(60)
  switch (dice.below(10)) {
    case 0:
    case 1:
      return frameHead(size, DATA, dice.below(4) === 0 ? END_STREAM : 0, id) + 'd'.repeat(size)
    case 2:
      return `${frameHead(size + 1, DATA, PADDED, id)}${String.fromCharCode(dice.below(size + 2))}${'p'.repeat(size)}`
    case 3: {
      const trailer = encodeField('x-sum', '1')
      return frameHead(trailer.length, HEADERS, END_HEADERS | END_STREAM, id) + trailer
    }
    case 4:
      return rstStream(id, dice.below(14))
    case 5:
      return windowUpdate(dice.below(2) === 0 ? 0 : id, 1 + dice.below(70000))
    case 6:
      return `${frameHead(8, PING, dice.below(2), 0)}12345678`
    case 7:
      return `${frameHead(5, PRIORITY, 0, id)}${u32Text(dice.below(9))}\x10`
    case 8:
      return dice.below(2) === 0 ? settingsFrame([[dice.below(9), dice.below(100000)]]) : frameHead(0, SETTINGS, 1, 0)
    default:
      return dice.below(2) === 0 ? `${frameHead(8, GOAWAY, 0, 0)}${u32Text(0)}${u32Text(0)}` : frameHead(0, 77, 0, 0)
  }
}

/** Behind the preface, so that most connections are HTTP/2's. */
function mutate(bytes: Buffer, dice: Dice): void {
  const at = PREFACE.length + dice.below(Math.max(1, bytes.length - PREFACE.length))
  const byte = bytes[at] ?? 0
  bytes[at] = dice.of([byte ^ (1 << dice.below(8)), 0, 0xff, dice.below(256), byte + 1])
}
