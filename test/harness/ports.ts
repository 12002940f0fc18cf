/** Free TCP ports for servers under test. */
import net from 'node:net'

/** Below the range that the system gives to outgoing connections, so that none takes a port between check and use. */
const FIRST = 11000
const COUNT = 21000
const TRIES = 2000

const taken = new Set<number>()

/** Finds ports that nothing listens on; no port is returned twice in one process. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === TRIES) throw new Error('no free ports')
    const port = FIRST + Math.floor(Math.random() * COUNT)
    if (taken.has(port) || !(await isFree(port))) continue
    taken.add(port)
    ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
}
