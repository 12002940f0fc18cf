/**
 * A back end that decides at random how to misbehave, in a process of its own so that it can be killed and frozen. What
 * it answers in full can be told from what it does not: the body is made from the request's id. The parent gets the port,
 * then the id of every POST that arrived; it sends `calm` to have only good answers and `release` for what is held.
 *
 *     node chaos-back-end.ts SEED PORT
 */
import net from 'node:net'
import { bodyOf, randomFrom } from './chaos-parts.ts'

/** How often of a hundred a request is answered well. */
const GOOD_PERCENT = 75
const IDLE_CLOSE_PERCENT = 25
const IDLE_MAX_MS = 40

type Answer = (socket: net.Socket, head: string, body: string) => void

/**
 * Each way to fail; `head` and `body` are those of the good answer. Bytes without a status line are missing: for nginx,
 * and so here, they are an answer of HTTP/0.9.
 */
const FAILURES: readonly Answer[] = [
  (socket) => void socket.resetAndDestroy(),
  (socket) => void socket.end(),
  (socket) => void socket.end('HTTP/1.1 200 OK\r\nno\x00nsense\r\n\r\n'),
  () => {},
  (socket, head) => void socket.write(head.slice(0, 20)),
  (socket, head, body) => void socket.write(head + body.slice(0, 500), () => socket.resetAndDestroy()),
  (socket, head, body) => void socket.end(head + body.slice(0, 500)),
  (socket, head, body) => void socket.write(head + body.slice(0, 500)),
  (socket) => void socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nxx\r\n'),
  (socket, _head, body) => {
    const size = body.length.toString(16)
    socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\n${body}\r\n`)
  },
  slowly,
  slowly,
]

const random = randomFrom(Number(process.argv[2]))
const held = new Set<net.Socket>()
let calm = false
/** Requests may be on their way when the word comes: they are not held any more. */
let released = false

/** Pieces with pauses that are each within the time-out. */
function slowly(socket: net.Socket, head: string, body: string): void {
  const pieces = [head.slice(0, 10), head.slice(10), body.slice(0, 700), body.slice(700)]
  const next = (): void => {
    const piece = pieces.shift()
    if (piece === undefined || socket.destroyed) return
    socket.write(piece)
    setTimeout(next, 20 + random() * 100)
  }
  next()
}

function good(socket: net.Socket, head: string, body: string): void {
  socket.write(head + body)
  if (!calm && random() * 100 < IDLE_CLOSE_PERCENT) setTimeout(() => socket.end(), random() * IDLE_MAX_MS)
}

function answerHeld(socket: net.Socket): void {
  good(socket, 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n', 'held')
}

function answer(socket: net.Socket, line: string): void {
  const [method = '', target = ''] = line.split(' ')
  if (target.startsWith('/hold')) {
    if (released) answerHeld(socket)
    else held.add(socket)
    return
  }
  const id = target.slice(target.indexOf('=') + 1)
  if (method === 'POST') process.send?.(id)
  const body = bodyOf(id)
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`
  const failure = FAILURES[Math.floor(random() * FAILURES.length)]!
  const how = calm || random() * 100 < GOOD_PERCENT ? good : failure
  how(socket, head, body)
}

const server = net.createServer((socket) => {
  let text = ''
  socket.on('error', () => {})
  socket.on('close', () => held.delete(socket))
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0)
    if (text.length < end + 4 + length) return
    const line = text.slice(0, text.indexOf('\r\n'))
    text = text.slice(end + 4 + length)
    answer(socket, line)
  })
})
server.listen({ port: Number(process.argv[3] ?? 0), host: '127.0.0.1' }, () => {
  process.send?.((server.address() as net.AddressInfo).port)
})
process.on('message', (text) => {
  if (text === 'calm') calm = true
  if (text !== 'release') return
  released = true
  for (const socket of held) answerHeld(socket)
  held.clear()
})
