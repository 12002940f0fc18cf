/**
 * A back end that misbehaves as it is told, in a process of its own so that it can be killed and frozen. The path says
 * what it does; the port is sent to the parent.
 */
import net from 'node:net'

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'

/** What it answers by path; the socket is left to the answer. */
const ANSWERS: Readonly<Record<string, (socket: net.Socket) => void>> = {
  '/good': (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'),
  '/die': () => process.exit(1),
  '/garbage': (socket) => void socket.end('HTTP/1.1 200 OK\r\nno\x00nsense\r\n\r\n'),
  '/close': (socket) => void socket.end(),
  '/reset': (socket) => void socket.resetAndDestroy(),
  '/silent': () => {},
  '/half-head': (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Le'),
  '/endless-head': (socket) => void socket.write(`HTTP/1.1 200 OK\r\n${'X-Long: value\r\n'.repeat(100_000)}`),
  '/reset-in-body': (socket) => {
    socket.write(HEAD)
    socket.write('x'.repeat(1000), () => socket.resetAndDestroy())
  },
  '/close-in-body': (socket) => void socket.end(`${HEAD}xxxx`),
  '/silent-in-body': (socket) => void socket.write(`${HEAD}xxxx`),
  '/bad-chunks': (socket) => void socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nxx\r\n'),
}

const server = net.createServer((socket) => {
  let text = ''
  socket.on('error', () => {})
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      const path = text.split(' ')[1] ?? ''
      text = text.slice(end + 4)
      ;(ANSWERS[path] ?? ANSWERS['/good']!)(socket)
    }
  })
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.send?.((server.address() as net.AddressInfo).port)
})
