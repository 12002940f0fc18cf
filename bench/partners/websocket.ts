/** Messages of 64 bytes over WebSockets: each is echoed, and the next follows when it is back. */
import type net from 'node:net'
import { connectTo, each, type Link, partner, type Tally, type Task } from './partner.ts'

const REQUEST =
  'GET /ws HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
const ANSWER =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'
/** A masked text frame; the back end sends it back as it is, which for who relays it makes no difference. */
const FRAME = Buffer.concat([Buffer.from([0x81, 0x80 | 64, 0, 0, 0, 0]), Buffer.alloc(64, 'message ')])

partner(echo, each(open))

function echo(socket: net.Socket): void {
  socket.once('data', () => {
    socket.write(ANSWER)
    socket.on('data', (bytes) => socket.write(bytes))
  })
}

function open(task: Task, _n: number, tally: Tally): Link {
  const socket = connectTo(task)
  let missing = 0
  let sentAt = 0
  const send = (): void => {
    missing = FRAME.length
    sentAt = performance.now()
    socket.write(FRAME)
  }
  socket.write(REQUEST)
  socket.once('data', (head) => {
    if (!head.toString('latin1').startsWith('HTTP/1.1 101 ')) throw new Error(head.toString('latin1'))
    socket.on('data', (bytes) => {
      missing -= bytes.length
      if (missing > 0) return
      tally.add(performance.now() - sentAt)
      send()
    })
    send()
  })
  return { close: () => socket.destroy() }
}
