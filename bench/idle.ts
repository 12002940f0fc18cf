/**
 * Memory per idle connection: `npm run bench -- --idle`. Each connection has made one request and keeps quiet; what the
 * process tree of the server grew by is divided by their number.
 */
import fs from 'node:fs'
import http2 from 'node:http2'
import net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { descendants } from './process-tree.ts'
import { CERTIFICATE, type Scenario } from './scenario.ts'
import { type Compared, type Engine, type Running, startAll, stopAll } from './servers.ts'

const COUNT = 3000
/**
 * So many are opened first, and are not counted: what there is one of, or a few, is there then, and the spaces have grown that a
 * collector works in. It runs when it wants to.
 */
const FIRST = 1000
/** The queue of a listening socket is short. */
const AT_ONCE = 50

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

/** One kind of connection. */
interface Kind {
  readonly name: string
  readonly listen: string
  /** Resolves when the first request was answered. */
  open(port: number): Promise<{ destroy(): void }>
}

const KINDS: readonly Kind[] = [
  { name: 'HTTP/1', listen: '', open: (port) => asked(net.connect(port, '127.0.0.1')) },
  {
    name: 'TLS',
    listen: 'ssl',
    open: (port) => asked(tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })),
  },
  { name: 'HTTP/2 over TLS', listen: 'ssl http2', open: openH2 },
]

function asked(socket: net.Socket): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    socket.write(REQUEST)
    socket.once('data', () => resolve(socket))
    socket.once('error', reject)
  })
}

function openH2(port: number): Promise<http2.ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    session.once('error', reject)
    const stream = session.request({ ':path': '/' })
    stream.resume()
    stream.once('end', () => resolve(session))
  })
}

/** Kilobytes per connection. */
export interface IdleRow {
  readonly name: string
  readonly kilobytes: ReadonlyMap<'nginx' | Engine, number>
}

/** Measures all kinds with all servers. */
export async function measureIdle(dir: string, compared: Compared): Promise<IdleRow[]> {
  const rows: IdleRow[] = []
  for (const kind of KINDS) {
    const scenario: Scenario = {
      name: 'idle',
      title: 'idle',
      http: `access_log off; keepalive_timeout 600s; ${CERTIFICATE}
        server { listen 127.0.0.1:%%PORT%% ${kind.listen}; location / { return 200 ok; } }`,
      target: '/',
      tls: true,
    }
    const servers = await startAll(path.join(dir, kind.listen.replaceAll(' ', '-')), scenario, compared, '')
    const kilobytes = new Map<'nginx' | Engine, number>()
    for (const server of servers) kilobytes.set(server.name, await perConnection(kind, server))
    await stopAll(servers)
    const figures = [...kilobytes].map(([name, figure]) => `${name} ${figure.toFixed(1)}`)
    console.log(`${kind.name}, KB per idle connection: ${figures.join(', ')}`)
    rows.push({ name: kind.name, kilobytes })
  }
  return rows
}

async function perConnection(kind: Kind, { url, child }: Running): Promise<number> {
  const port = Number(new URL(url).port)
  const open: { destroy(): void }[] = []
  let before = 0
  while (open.length < COUNT + FIRST) {
    open.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => kind.open(port)))))
    if (open.length === FIRST) before = residentKilobytes(child.pid!)
  }
  const after = residentKilobytes(child.pid!)
  for (const one of open) one.destroy()
  return (after - before) / COUNT
}

/** Resident memory of a process and its descendants. */
function residentKilobytes(root: number): number {
  let sum = 0
  for (const pid of descendants(root)) {
    const found = /^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
    sum += Number(found?.[1] ?? 0)
  }
  return sum
}

/** The figures as a Markdown table. */
export function idleTable(rows: readonly IdleRow[]): string {
  const names = [...rows[0]!.kilobytes.keys()]
  const lines = rows.map(({ name, kilobytes }) => {
    return `| ${name} | ${names.map((server) => kilobytes.get(server)!.toFixed(1)).join(' | ')} |`
  })
  return [`| idle connection | KB: ${names.join(' | ')} |`, `|---|${'---:|'.repeat(names.length)}`, ...lines].join('\n')
}
