/**
 * A back end that sends gRPC messages back, with trailers: `node bench/grpc-origin.ts PORT`. nghttpd, which could do the
 * same, puts what it gets into a file first, and that is all one would measure.
 */
import http2 from 'node:http2'

const server = http2.createServer()
server.on('stream', (stream) => {
  const pieces: Buffer[] = []
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  stream.on('error', () => {})
  stream.on('end', () => {
    if (stream.destroyed) return
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces))
  })
})
server.on('sessionError', () => {})
server.listen(Number(process.argv[2]), '127.0.0.1')
