/**
 * What a configuration costs: how long a start and a reload take, how long requests wait meanwhile, and the memory.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { command, positive } from '../scripts/command.ts'
import { freePorts } from '../test/harness/ports.ts'
import { cpuSeconds, descendants, stopProcess } from './process-tree.ts'

const VIADUCT = fileURLToPath(new URL('../bin/viaduct', import.meta.url))
const WORKERS = 2
const PAUSE_MS = 5
const REST_MS = 3000
const START_TIMEOUT_MS = 60_000
/** So many answers of the new configuration in a row: every worker has it. */
const NEW_IN_A_ROW = 30

interface Size {
  readonly servers: number
  readonly lines: number
}

const SIZES: readonly Size[] = [
  { servers: 1, lines: 0 },
  { servers: 300, lines: 0 },
  { servers: 2000, lines: 60_000 },
]

await command({
  called: 'node bench/large-configuration.ts',
  summary: 'what a large configuration costs: start, reload, requests meanwhile, memory',
  usage: ['[OPTION ...]'],
  about: 'One server, 300, and 2,000 with 60,000 map lines, unless one size is named.',
  options: {
    servers: { type: 'string', value: 'N', help: 'only so many servers' },
    lines: { type: 'string', value: 'N', help: 'and so many lines of a map with them; none unless told' },
    reloads: { type: 'string', value: 'N', help: 'of each size; 5 unless told' },
    command: { type: 'string', value: 'PROGRAM', help: 'instead of Viaduct' },
  },
  examples: [
    ['--servers 300', 'one size only'],
    ['--reloads 25 --command nginx', 'another program, more reloads'],
  ],
  words: [],
  run: async ({ servers, lines, reloads, command: program = VIADUCT }) => {
    const one = { servers: positive('--servers', servers, 1), lines: lines === '0' ? 0 : positive('--lines', lines, 0) }
    const count = positive('--reloads', reloads, 5)
    for (const size of servers === undefined ? SIZES : [one]) await measure(size, count, program)
    return 0
  },
})

async function measure(size: Size, reloads: number, program: string): Promise<void> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-bench-'))
  const [port] = (await freePorts(1)) as [number]
  const write = (generation: number): void =>
    fs.writeFileSync(path.join(dir, 'nginx.conf'), configuration(size, port, generation))
  write(1)
  const begin = performance.now()
  const child = spawn(program, ['-p', `${dir}/`, '-c', 'nginx.conf', '-e', 'error.log'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    while ((await ask(port)) === '') {
      if (child.exitCode !== null || performance.now() - begin > START_TIMEOUT_MS) throw new Error('it does not start')
      // Who asks all the time takes a core from who starts.
      await pause(PAUSE_MS)
    }
    const { servers, lines } = size
    const started = ms(performance.now() - begin)
    console.log(`${servers} servers, ${lines} map lines: first answer after ${started}, CPU ${cpu(child.pid!)}`)
    await pause(500)
    console.log(`  memory ${memoryText(child.pid!)}`)
    for (let reload = 1; reload <= reloads; reload++) {
      write(reload + 1)
      const used = cpuSeconds(child.pid!)
      child.kill('SIGHUP')
      const { slowestMs, tookMs } = await takeOver(port, reload + 1)
      await pause(500)
      const spent = ms((cpuSeconds(child.pid!) - used) * 1000)
      const memory = memoryText(child.pid!)
      console.log(`  reload ${reload}: ${ms(tookMs)}, CPU ${spent}, slowest request ${ms(slowestMs)}, memory ${memory}`)
    }
    await pause(REST_MS)
    console.log(`  after a rest: memory ${memoryText(child.pid!)}`)
  } finally {
    await stopProcess(child)
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

function configuration({ servers, lines }: Size, port: number, generation: number): string {
  const map = Array.from({ length: lines }, (_, i) => `/old/path/${i} /new/path/${i};`)
  const blocks = Array.from(
    { length: servers },
    (_, i) => `server {
  listen 127.0.0.1:${port}; server_name s${i}.test *.s${i}.test; root /srv/${i};
  location / { return 200 "generation ${generation}"; }
  location ~ \\.php$ { return 403; }
  location /api/ { proxy_pass http://127.0.0.1:9; }
}`,
  )
  return `daemon off; worker_processes ${WORKERS}; pid nginx.pid; error_log error.log notice;
events { }
http {
access_log off;
map $uri $target { default ""; ${map.join('\n')} }
${blocks.join('\n')}
}
`
}

/** Asks until every worker answers with the new configuration. */
async function takeOver(port: number, generation: number): Promise<{ slowestMs: number; tookMs: number }> {
  const begin = performance.now()
  let slowestMs = 0
  let tookMs = 0
  for (let inRow = 0; inRow < NEW_IN_A_ROW; ) {
    const asked = performance.now()
    const answer = await ask(port)
    slowestMs = Math.max(slowestMs, performance.now() - asked)
    inRow = answer.endsWith(`generation ${generation}`) ? inRow + 1 : 0
    if (inRow === 1) tookMs = performance.now() - begin
    await pause(PAUSE_MS)
  }
  return { slowestMs, tookMs }
}

/** One request on a connection of its own; empty when there is no answer. */
function ask(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = net.connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.0\r\nHost: s0.test\r\n\r\n'))
    socket.setEncoding('latin1').on('data', (data: string) => {
      text += data
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
}

/** Proportional sizes of the processes in MB: the sum, and each. */
function memoryText(pid: number): string {
  const each = descendants(pid).map((one) => {
    const line = /^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${one}/smaps_rollup`, 'latin1'))
    return Math.round(Number(line?.[1] ?? 0) / 1024)
  })
  return `${each.reduce((sum, one) => sum + one, 0)} MB (${each.join(' + ')})`
}

function cpu(pid: number): string {
  return ms(cpuSeconds(pid) * 1000)
}

function ms(value: number): string {
  return `${Math.round(value)} ms`
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
