/** Handshakes of TLS, one connection after the other on each of several lanes; `?resumed`: with the session of the first. */
import tls from 'node:tls'
import { each, type Link, partner, type Tally, type Task } from './partner.ts'

partner((socket) => socket.destroy(), each(open))

function open(task: Task, _n: number, tally: Tally): Link {
  const { hostname, port, search } = new URL(task.url)
  const resumed = search === '?resumed'
  let session: Buffer | undefined
  let closed = false
  let socket: tls.TLSSocket
  const next = (): void => {
    const begun = performance.now()
    const to = { host: hostname, port: Number(port), rejectUnauthorized: false, ...(session && { session }) }
    socket = tls.connect(to, () => {
      if (resumed && session !== undefined && !socket.isSessionReused()) throw new Error('the session was not resumed')
      if (!resumed || session !== undefined) {
        tally.add(performance.now() - begun)
        socket.end()
      }
    })
    if (resumed && session === undefined) {
      socket.once('session', (given: Buffer) => {
        session = given
        socket.end()
      })
    }
    socket.on('error', () => socket.destroy())
    socket.resume()
    socket.once('close', () => {
      if (!closed) next()
    })
  }
  next()
  return {
    close() {
      closed = true
      socket.destroy()
    },
  }
}
