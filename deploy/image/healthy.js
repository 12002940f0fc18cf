// The health check of the image: fine when something accepts connections on a port that the configuration listens on.
// VIADUCT_HEALTH=http://127.0.0.1:8080/health asks for a page instead, which has to answer with less than 500.
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'

const url = process.env.VIADUCT_HEALTH
if (url !== undefined) {
  const { status } = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(2500) }).catch(() => ({ status: 599 }))
  process.exit(status < 500 ? 0 : 1)
}
const LISTEN = '0A'
const ANY = { '0.0.0.0': '127.0.0.1', '0:0:0:0:0:0:0:0': '::1' }

// The kernel writes an address as words of four bytes, each in the order of the machine.
function hostOf(hex) {
  const bytes = Buffer.from(hex, 'hex')
  if (os.endianness() === 'LE') bytes.swap32()
  const host = bytes.length === 4 ? bytes.join('.') : Array.from({ length: 8 }, (_, n) => bytes.readUInt16BE(n * 2).toString(16)).join(':')
  return ANY[host] ?? host
}

const listened = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
  (fs.existsSync(file) ? fs.readFileSync(file, 'latin1').trim().split('\n').slice(1) : [])
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[3] === LISTEN)
    .map((words) => words[1].split(':'))
    .map(([host, port]) => ({ host: hostOf(host), port: Number.parseInt(port, 16) })),
)
if (listened.length === 0) process.exit(1)
const [{ host, port }] = listened.sort((a, b) => a.port - b.port)
net
  .connect({ host, port, timeout: 2500 })
  .on('connect', () => process.exit(0))
  .on('error', () => process.exit(1))
  .on('timeout', () => process.exit(1))
