/**
 * TLS connections that go wrong: bytes of a real client changed, cut into small pieces, repeated, held back or given up
 * anywhere on their way, and records that are none; from a seed, so that a failure repeats.
 */
import net from 'node:net'
import tls from 'node:tls'
import type { Dice } from './dice.ts'

/** How long the server has for the end of a connection. */
const WAIT_MS = 40
const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
/** Content types of TLS records, and two that there are not. */
const TYPES = [20, 21, 22, 23, 24, 128]

/** One connection, of one of the kinds; resolves when it is over. */
export function fuzzTls(port: number, dice: Dice): Promise<void> {
  return dice.below(3) === 0 ? strange(port, dice) : disturbed(port, dice)
}

/** Records of any kind, after a beginning that may be right. */
async function strange(port: number, dice: Dice): Promise<void> {
  const records: Buffer[] = dice.below(3) === 0 ? [] : [hello(dice)]
  for (let n = dice.below(6); n >= 0; n--) records.push(record(dice))
  await send(port, Buffer.concat(records), dice)
}

function record(dice: Dice): Buffer {
  const size = dice.of([0, 1, 2, 5, 40, 300, 16384, 16385, 20000])
  const said = dice.below(3) === 0 ? dice.below(65536) : size
  const head = [dice.of(TYPES), 3, dice.below(5), said >> 8, said & 255]
  return Buffer.concat([Buffer.from(head), randomBytes(size, dice)])
}

/** A ClientHello, most of it random. */
function hello(dice: Dice): Buffer {
  const extensions = Buffer.concat(Array.from({ length: dice.below(8) }, () => extension(dice)))
  const session = randomBytes(dice.of([0, 0, 32, 33]), dice)
  const ciphers = randomBytes(2 * dice.below(20), dice)
  const body = Buffer.concat([
    Buffer.from([3, dice.below(5)]),
    randomBytes(32, dice),
    Buffer.from([session.length]),
    session,
    u16(ciphers.length),
    ciphers,
    Buffer.from([1, 0]),
    u16(dice.below(4) === 0 ? dice.below(65536) : extensions.length),
    extensions,
  ])
  const message = Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 255]), body])
  return Buffer.concat([Buffer.from([22, 3, 1]), u16(message.length), message])
}

function extension(dice: Dice): Buffer {
  const content = randomBytes(dice.below(60), dice)
  const type = dice.of([0, 5, 10, 11, 13, 16, 21, 35, 41, 42, 43, 45, 51, 65281, dice.below(65536)])
  return Buffer.concat([u16(type), u16(dice.below(5) === 0 ? dice.below(300) : content.length), content])
}

async function send(port: number, bytes: Buffer, dice: Dice): Promise<void> {
  const socket = net.connect(port, '127.0.0.1').setNoDelay(true)
  const over = overOf(socket)
  socket.resume()
  for (let at = 0; at < bytes.length && !socket.destroyed; ) {
    const size = dice.below(3) === 0 ? 1 + dice.below(20) : 1 + dice.below(bytes.length)
    const piece = bytes.subarray(at, at + size)
    at += size
    await Promise.race([over, new Promise<void>((done) => socket.write(piece, () => done()))])
  }
  giveUp(socket, dice)
  await over
}

/** A real client, with somebody on the line. */
async function disturbed(port: number, dice: Dice): Promise<void> {
  const line = net.createServer()
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve))
  const ended = new Promise<void>((resolve) => {
    line.once('connection', (near) => {
      line.close()
      disturb(near, net.connect(port, '127.0.0.1').setNoDelay(true), dice, resolve)
    })
  })
  const client = tls.connect({
    port: (line.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: dice.of([['h2'], ['http/1.1'], ['h2', 'http/1.1']]),
    maxVersion: dice.of(['TLSv1.2', 'TLSv1.3']),
  })
  client.on('error', () => {}).on('secureConnect', () => client.write(REQUEST.repeat(1 + dice.below(4))))
  client.resume()
  await ended
  client.destroy()
}

/** Passes bytes on, not all of them as they are. */
function disturb(near: net.Socket, far: net.Socket, dice: Dice, done: () => void): void {
  /** When the trouble begins: in the handshake, or in what follows. */
  let quiet = dice.of([0, 5, 100, 300, 600, 1200])
  near.on('error', () => {}).on('close', () => far.destroy())
  far
    .on('error', () => {})
    .on('close', () => {
      near.destroy()
      done()
    })
  far.on('data', (bytes: Buffer) => near.write(bytes))
  near.on('data', (bytes: Buffer) => {
    const trouble = bytes.length > quiet
    quiet = Math.max(0, quiet - bytes.length)
    if (!trouble) far.write(bytes)
    else passOn(far, Buffer.from(bytes), dice)
  })
  setTimeout(() => far.destroy(), dice.below(WAIT_MS * 3))
}

function passOn(far: net.Socket, bytes: Buffer, dice: Dice): void {
  const at = dice.below(bytes.length)
  switch (dice.below(6)) {
    case 0: // Changed.
      bytes[at] = dice.below(256)
      far.write(bytes)
      return
    case 1: // Byte by byte.
      for (let i = 0; i < bytes.length; i++) far.write(bytes.subarray(i, i + 1))
      return
    case 2: // The rest is lost, and nothing follows.
      far.end(bytes.subarray(0, at))
      return
    case 3: // Something is lost.
      far.write(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + dice.below(20))]))
      return
    case 4: // Something comes twice.
      far.write(Buffer.concat([bytes, bytes.subarray(at)]))
      return
    default:
      far.write(bytes)
      far.destroy()
  }
}

function giveUp(socket: net.Socket, dice: Dice): void {
  if (dice.below(3) === 0) socket.end()
  setTimeout(() => socket.destroy(), dice.below(2) === 0 ? 0 : dice.below(WAIT_MS))
}

function overOf(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => {}).on('close', () => resolve())
    socket.on('end', () => socket.destroy())
  })
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255])
}

function randomBytes(size: number, dice: Dice): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = dice.below(256)
  return bytes
}
