/**
 * `npm start`: the API of the example, and Viaduct in front of it with nginx.conf of this folder. Everything is served
 * from a copy in a temporary folder, because the threads of a server that root starts run as nobody, who may not be
 * able to read the clone. Ctrl-C ends it all and removes the folder.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const VIADUCT = fileURLToPath(new URL('../../bin/viaduct', import.meta.url))
const FIRST_PORT = Number(process.env['PORT'] ?? 8080)
const PORTS_TRIED_MAX = 100
const POLL_MS = 30

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-full-stack-'))
const children: ChildProcess[] = []
let ending = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0))

try {
  await main()
} catch (error) {
  if (!ending) console.error(error instanceof Error ? error.message : error)
  await end(1)
}

async function main(): Promise<void> {
  copySite()
  const apiPort = await startApi()
  const { url, server } = await startServer(apiPort)
  console.log(`Viaduct is running: visit ${url}`)
  console.log(`  configuration  ${path.relative(process.cwd(), HERE)}/nginx.conf`)
  console.log(`  logs           ${folder}/access.log, error.log`)
  console.log('  to end         Ctrl-C')
  server.once('exit', (code, signal) => {
    if (ending) return
    console.error(`The server ended (${signal ?? code}). The end of its log:\n${logEnd()}`)
    void end(1)
  })
}

function copySite(): void {
  fs.chmodSync(folder, 0o755)
  fs.cpSync(`${HERE}site`, `${folder}/site`, { recursive: true })
  for (const name of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    fs.chmodSync(path.join(name.parentPath, name.name), name.isDirectory() ? 0o755 : 0o644)
  }
  fs.copyFileSync(`${HERE}mime.types`, `${folder}/mime.types`)
}

function startApi(): Promise<number> {
  const api = fork(`${HERE}api.ts`, { execArgv: ['--disable-warning=ExperimentalWarning'] })
  children.push(api)
  return new Promise((resolve, reject) => {
    api.once('message', (port) => resolve(Number(port)))
    api.once('exit', (code, signal) => {
      reject(new Error(`the API ended (${signal ?? code})`))
      void end(1)
    })
  })
}

/** Starts Viaduct on the first port that can be had. */
async function startServer(apiPort: number): Promise<{ url: string; server: ChildProcess }> {
  for (let port = FIRST_PORT; port < FIRST_PORT + PORTS_TRIED_MAX; port++) {
    if (!(await isFree(port))) continue
    const edit = (name: string, from: string, to: number): void => {
      const text = fs.readFileSync(`${HERE}${name}`, 'utf8')
      fs.writeFileSync(`${folder}/${name}`, text.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`))
    }
    edit('nginx.conf', '8080', port)
    edit('http.conf', '3000', apiPort)
    const server = spawn(VIADUCT, ['-p', `${folder}/`, '-c', 'nginx.conf'], { stdio: ['ignore', 'ignore', 'pipe'] })
    children.push(server)
    let complaint = ''
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text
    })
    const url = `http://127.0.0.1:${port}/`
    if (await answers(`${url}health`, server)) return { url, server }
    // Somebody else was faster: the next port, then.
    if (!/\(98: /.test(complaint)) throw new Error(`Viaduct did not start.\n${complaint}`)
  }
  throw new Error(`no free port from ${FIRST_PORT} on`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

/** Resolves with true once the server answers, with false when it has ended instead. */
async function answers(url: string, server: ChildProcess): Promise<boolean> {
  while (!ending && !hasEnded(server)) {
    const response = await fetch(url).catch(() => undefined)
    // The answer must be of this server, not of one that took the port meanwhile.
    if (response?.ok && fs.existsSync(`${folder}/nginx.pid`)) return true
    await delay(POLL_MS)
  }
  return false
}

async function end(code: number): Promise<void> {
  if (ending) return
  ending = true
  for (const child of children) child.kill('SIGTERM')
  while (!children.every(hasEnded)) await delay(POLL_MS)
  fs.rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

function logEnd(): string {
  const log = `${folder}/error.log`
  return fs.existsSync(log) ? fs.readFileSync(log, 'utf8').split('\n').slice(-10).join('\n') : '(none)'
}
