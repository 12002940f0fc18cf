/** Server-sent events: each stream gets the next event when its client has seen the one before. */
import type net from 'node:net'
import { connectTo, each, type Link, partner, type Tally, type Task } from './partner.ts'

const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n'
const TEXT = `id: 12345\ndata: {"kind":"update","items":[1,2,3],"text":"${'x'.repeat(80)}"}\n\n`
const EVENT = Buffer.from(`${TEXT.length.toString(16)}\r\n${TEXT}\r\n`)
/** The end of an event, and of the chunk that it is in. */
const END = '\n\n\r\n'

/** The back end's side of each stream, by the client's number. */
const streams = new Map<string, net.Socket>()

partner(serve, each(open))

function serve(socket: net.Socket): void {
  socket.once('data', (head) => {
    const name = /^GET \/events\?n=(\d+) /.exec(head.toString('latin1'))?.[1] ?? ''
    streams.set(name, socket)
    socket.on('data', () => {})
    socket.write(HEAD)
    socket.write(EVENT)
  })
}

function open(task: Task, n: number, tally: Tally): Link {
  const socket = connectTo(task)
  let sentAt = performance.now()
  let tail = ''
  socket.setEncoding('latin1')
  socket.write(`GET /events?n=${n} HTTP/1.1\r\nHost: bench\r\n\r\n`)
  socket.on('data', (text: string) => {
    tail = (tail + text).slice(-END.length)
    if (tail !== END) return
    const now = performance.now()
    tally.add(now - sentAt)
    sentAt = now
    streams.get(String(n))?.write(EVENT)
  })
  return {
    close() {
      socket.destroy()
      streams.get(String(n))?.destroy()
    },
  }
}
