// The health check of the image: fine when something accepts connections on a port that the configuration listens on.
// VIADUCT_HEALTH=http://127.0.0.1:8080/health asks for a page instead, which has to answer with less than 500.
import fs from 'node:fs'
import net from 'node:net'

const url = process.env.VIADUCT_HEALTH
if (url !== undefined) {
  const { status } = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(2500) }).catch(() => ({ status: 599 }))
  process.exit(status < 500 ? 0 : 1)
}
const LISTEN = '0A'
const ports = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
  (fs.existsSync(file) ? fs.readFileSync(file, 'latin1').trim().split('\n').slice(1) : [])
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[3] === LISTEN)
    .map((words) => Number.parseInt(words[1].split(':')[1], 16)),
)
if (ports.length === 0) process.exit(1)
net
  .connect({ port: Math.min(...ports), host: '127.0.0.1', timeout: 2500 })
  .on('connect', () => process.exit(0))
  .on('error', () => process.exit(1))
  .on('timeout', () => process.exit(1))
