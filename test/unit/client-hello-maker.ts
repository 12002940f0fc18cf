/** Hellos of a real client, for the tests of their reader. */
import { Duplex } from 'node:stream'
import tls from 'node:tls'

/** What Node's client says first with these options. */
export function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    const socket = new Duplex({
      read() {},
      write(bytes: Buffer, _, done) {
        parts.push(bytes)
        done()
        setImmediate(() => {
          client.destroy()
          resolve(Buffer.concat(parts))
        })
      },
    })
    const client = tls.connect({ socket, rejectUnauthorized: false, ...options })
    client.on('error', () => {})
  })
}
