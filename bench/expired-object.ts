/**
 * What clients see of a cached object that keeps expiring: 50 of them ask for it all the time, the back end takes 50 ms for an
 * answer that is good for a second. Beside nginx, with the lock alone and with stale answers while it is renewed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { command, positive } from '../scripts/command.ts'
import { freePorts } from '../test/harness/ports.ts'
import { listening, stopProcess } from './process-tree.ts'
import { findNginx } from './servers.ts'

const VIADUCT = fileURLToPath(new URL('../bin/viaduct', import.meta.url))
const ORIGIN_MS = 50
const FRESH_S = 1
const SIZE = 1024
/** A client asks again after that time, so that the machine is not what is measured. */
const PAUSE_MS = 2
const WAYS = {
  proxy_cache_lock: 'proxy_cache_lock on;',
  'and use_stale updating': 'proxy_cache_lock on; proxy_cache_use_stale updating; proxy_cache_background_update on;',
} as const

interface Load {
  readonly seconds: number
  readonly clients: number
}

/** The back end: how often it was asked. */
let asked = 0
const origin = http.createServer((_, response) => {
  asked++
  response.setHeader('Cache-Control', `max-age=${FRESH_S}`).setHeader('Content-Length', SIZE)
  setTimeout(() => response.end('x'.repeat(SIZE)), ORIGIN_MS)
})

await command({
  called: 'node bench/expired-object.ts',
  summary: 'what clients see of a cached object that keeps expiring',
  usage: ['[OPTION ...]'],
  about: 'Beside nginx where there is one (nginx-light of Debian, or NGINX=PATH).',
  options: {
    seconds: { type: 'string', value: 'N', help: 'for each server; 6 unless told' },
    clients: { type: 'string', value: 'N', help: 'that ask all the time; 50 unless told' },
  },
  examples: [['--seconds 20 --clients 200', 'longer, and more of them']],
  words: [],
  run: async ({ seconds, clients }) => {
    await measureAll({ seconds: positive('--seconds', seconds, 6), clients: positive('--clients', clients, 50) })
    return 0
  },
})

async function measureAll(load: Load): Promise<void> {
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const nginx = findNginx()
  const servers = { ...(nginx === undefined ? {} : { nginx }), viaduct: VIADUCT }
  console.log('| | server | requests | of the back end | p50 ms | p99 ms | slowest |\n|---|---|--:|--:|--:|--:|--:|')
  for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    for (const [name, program] of Object.entries(servers)) await measure(way, name, program, load)
  }
  origin.close()
  origin.closeAllConnections()
}

async function measure(way: keyof typeof WAYS, name: string, program: string, load: Load): Promise<void> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-bench-'))
  const [port] = (await freePorts(1)) as [number]
  fs.writeFileSync(path.join(dir, 'nginx.conf'), configuration(dir, port, WAYS[way]))
  const child = spawn(program, ['-p', `${dir}/`, '-c', 'nginx.conf', '-e', 'error.log'], { stdio: 'ignore' })
  try {
    await listening(port, child)
    await ask(port, { clients: 1, seconds: 0 })
    asked = 0
    const times = (await ask(port, load)).toSorted((a, b) => a - b)
    const at = (part: number): string => times[Math.floor(part * (times.length - 1))]!.toFixed(1)
    console.log(`| ${way} | ${name} | ${times.length} | ${asked} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`)
  } finally {
    await stopProcess(child)
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

function configuration(dir: string, port: number, directives: string): string {
  const user = process.getuid?.() === 0 ? 'user root root;' : ''
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${dir}/${one};`)
  return `${user} daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log warn; events { }
http {
access_log off; keepalive_requests 1000000; ${temporary.join(' ')}
proxy_cache_path ${dir}/cache keys_zone=one:1m;
server {
  listen 127.0.0.1:${port};
  location / {
    proxy_pass http://127.0.0.1:${(origin.address() as AddressInfo).port};
    proxy_cache one; ${directives}
  }
} }
`
}

/** Milliseconds of each request of so many clients, for that time; each asks at least once. */
async function ask(port: number, { seconds, clients }: Load): Promise<number[]> {
  const times: number[] = []
  const end = performance.now() + seconds * 1000
  const talk = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let begun = 0
      let text = ''
      const next = (): void => {
        text = ''
        begun = performance.now()
        socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
      }
      const socket = net.connect(port, '127.0.0.1', next)
      socket.setEncoding('latin1').on('data', (data: string) => {
        text += data
        const head = text.indexOf('\r\n\r\n')
        if (head < 0 || text.length < head + 4 + SIZE) return
        if (!text.startsWith('HTTP/1.1 200')) return reject(new Error(text.slice(0, head)))
        times.push(performance.now() - begun)
        if (performance.now() < end) setTimeout(next, PAUSE_MS)
        else socket.end()
      })
      socket.on('error', reject).on('close', () => resolve())
    })
  await Promise.all(Array.from({ length: clients }, talk))
  return times
}
