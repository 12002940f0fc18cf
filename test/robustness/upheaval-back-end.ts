/**
 * The back end of the upheaval test, in a process of its own. What it sends carries its checksum in the head; what it gets is
 * answered with the checksum of that. Now and then it resets a connection in the middle, until it is told to be calm.
 *
 *     node upheaval-back-end.ts SEED
 */
import { createHash } from 'node:crypto'
import http from 'node:http'
import type net from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { randomFrom } from './chaos-parts.ts'
import { piecesOf, sumOf } from './upheaval-parts.ts'

const RESET_PERCENT = 5

const random = randomFrom(Number(process.argv[2]))
let calm = false

const resets = (): boolean => !calm && random() * 100 < RESET_PERCENT

async function down(seed: number, size: number, response: http.ServerResponse): Promise<void> {
  const sized = random() < 0.5
  response.writeHead(200, { 'X-Sum': sumOf(seed, size), ...(sized ? { 'Content-Length': size } : {}) })
  const resetAt = resets() ? random() * size : Number.POSITIVE_INFINITY
  let sent = 0
  function* pieces(): Generator<Buffer> {
    for (const piece of piecesOf(seed, size, random)) {
      if (sent > resetAt) return void response.socket?.resetAndDestroy()
      sent += piece.length
      yield piece
    }
  }
  await pipeline(Readable.from(pieces()), response)
}

async function up(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const hash = createHash('sha1')
  const resetAt = resets() ? random() * 1_000_000 : Number.POSITIVE_INFINITY
  let got = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    hash.update(piece)
    got += piece.length
    if (got > resetAt) return void request.socket.resetAndDestroy()
  }
  response.end(hash.digest('hex'))
}

const server = http.createServer({ keepAliveTimeout: 60_000, noDelay: true }, (request, response) => {
  request.on('error', () => {})
  response.on('error', () => {})
  const url = new URL(request.url!, 'http://x')
  const number = (name: string): number => Number(url.searchParams.get(name))
  const done = request.method === 'POST' ? up(request, response) : down(number('seed'), number('size'), response)
  done.catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as net.AddressInfo).port))
process.on('message', () => {
  calm = true
})
process.on('disconnect', () => process.exit())
