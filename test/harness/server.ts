/**
 * Runs the real program with a configuration in a folder of its own, and stops it when the test's block ends:
 *
 *     await using server = await startViaduct('http { server { listen 127.0.0.1:%%PORT_0%%; } }')
 *     const response = await fetch(server.url('/'))
 *
 * In the text, `%%PORT_n%%` becomes a free port and `%%DIR%%` the folder. What every test needs and its text does not
 * say (`daemon off`, `pid`, `error_log`, `events`) is put before its first line, so that line numbers stay right.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from './ports.ts'

/** The executable under test. */
const VIADUCT = fileURLToPath(new URL('../../bin/viaduct', import.meta.url))

/** What drives sockets in all tests that do not say it themselves: `io_uring` or `epoll`. */
const ENGINE = process.env['VIADUCT_TEST_ENGINE'] ?? ''
const POLL_MS = 5
const START_TIMEOUT_MS = 15000
const STOP_TIMEOUT_MS = 10000
/** A graceful stop takes no longer when nobody is there: HTTP/2 connections linger for at most 5 s. */
const QUICK_STOP_MS = 8000
const WAIT_TIMEOUT_MS = 10000
/** How much of an error log a failure shows. */
const LOG_SHOWN_MAX = 3000

// When a test fails and its server then does not stop well either, Node's runner tells of neither: both are causes here.
Object.defineProperty(SuppressedError.prototype, 'cause', {
  get(this: SuppressedError) {
    const { suppressed, error } = this
    if (suppressed instanceof Error) suppressed.cause ??= error
    return suppressed
  },
})

/** How a test wants its server. */
export interface StartOptions {
  /** Files to create in the folder before the start; placeholders are replaced in them too. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** Does what else is needed in the folder before the start. */
  readonly prepare?: (dir: string) => void
  /** Further words of the command line. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The test provokes `[alert]` lines; otherwise one fails the test when the server is disposed of. */
  readonly alerts?: boolean
  /** Why clients, back ends or requests are still there when the test ends: then the server is not made to end gracefully. */
  readonly busyAtEnd?: string
  /** Run with the folder as current directory. */
  readonly cwd?: boolean
  /** Run as this user; only when the tests run as root. */
  readonly uid?: number
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** The outcome of a run to the end. */
export interface Outcome extends Ended {
  readonly stdout: string
  readonly stderr: string
}

/** A folder with a configuration in it, not started yet: for tests of the command line. */
export class Prefix {
  readonly dir: string
  readonly #ports: readonly number[]

  private constructor(dir: string, ports: readonly number[]) {
    this.dir = dir
    this.#ports = ports
  }

  /** Makes a folder with `nginx.conf` and further files. */
  static async create(conf: string, files: StartOptions['files'] = {}): Promise<Prefix> {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-test-'))
    // Workers of a server started by root run as nobody.
    fs.chmodSync(dir, 0o755)
    const texts = [conf, ...Object.values(files).filter((text) => typeof text === 'string')]
    const numbers = texts.flatMap((text) => [...text.matchAll(/%%PORT_(\d+)%%/g)].map((match) => Number(match[1])))
    const prefix = new Prefix(dir, await freePorts(Math.max(0, ...numbers) + 1))
    prefix.write('nginx.conf', conf)
    for (const [name, content] of Object.entries(files)) prefix.write(name, content)
    return prefix
  }

  port(n = 0): number {
    const port = this.#ports[n]
    if (port === undefined) throw new Error(`the configuration has no %%PORT_${n}%%`)
    return port
  }

  path(name: string): string {
    return path.join(this.dir, name)
  }

  /** Writes a file, with placeholders replaced when it is text. */
  write(name: string, content: string | Uint8Array): void {
    const file = this.path(name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    const text = typeof content === 'string' && name === 'nginx.conf' ? overEngine(content) : content
    const bytes = typeof text === 'string' ? this.expand(text) : text
    if (name !== 'nginx.conf') return fs.writeFileSync(file, bytes)
    // A reload that was asked for before may read it now: never half of it.
    fs.writeFileSync(`${file}~`, bytes)
    fs.renameSync(`${file}~`, file)
  }

  /** Returns a file's text, or '' when it does not exist. */
  read(name: string): string {
    try {
      return fs.readFileSync(this.path(name), 'latin1')
    } catch (error) {
      // It may go at any time, as a pid file does in an upgrade.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
      throw error
    }
  }

  expand(text: string): string {
    return text.replaceAll(/%%PORT_(\d+)%%/g, (_, n) => `${this.port(Number(n))}`).replaceAll('%%DIR%%', this.dir)
  }

  /** Runs the program to its end with `-p` and `-c` for this folder and further words. */
  async run(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return runViaduct([...this.ownArgs(), ...args], env)
  }

  ownArgs(): string[] {
    return ['-p', `${this.dir}/`, '-c', 'nginx.conf', '-e', 'error.log']
  }

  remove(): void {
    fs.rmSync(this.dir, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.remove()
  }
}

/** Has the server use the engine that the tests are run over. */
function overEngine(conf: string): string {
  if (ENGINE === '' || /\buse\s+\w+;/.test(conf)) return conf
  return conf.replace(/\bevents\s*\{/, `events { use ${ENGINE};`)
}

/** A running server. */
export class Server {
  readonly prefix: Prefix
  readonly child: ChildProcess
  /** Resolves when the started process has ended. */
  readonly ended: Promise<Ended>
  readonly #options: StartOptions
  #stderr = ''
  #end: Ended | undefined

  constructor(prefix: Prefix, options: StartOptions) {
    this.prefix = prefix
    this.#options = options
    const { args = [], env = {}, uid, cwd } = options
    this.child = spawn(VIADUCT, [...prefix.ownArgs(), ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
      ...(cwd ? { cwd: prefix.dir } : {}),
      ...(uid === undefined ? {} : { uid, gid: uid }),
    })
    this.child.stderr!.setEncoding('latin1').on('data', (text: string) => {
      this.#stderr += text
    })
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.#end = { code, signal }
        resolve(this.#end)
      })
    })
  }

  get dir(): string {
    return this.prefix.dir
  }

  /** The master, which after an upgrade or in the background is not the process that was started. */
  get pid(): number {
    return Number(this.prefix.read('nginx.pid')) || this.child.pid!
  }

  /** What the program wrote to standard error. */
  get stderr(): string {
    return this.#stderr
  }

  port(n = 0): number {
    return this.prefix.port(n)
  }

  url(target: string, n = 0): string {
    return `http://127.0.0.1:${this.port(n)}${target}`
  }

  errorLog(): string {
    return this.prefix.read('error.log')
  }

  accessLog(): string {
    return this.prefix.read('access.log') || this.prefix.read('logs/access.log')
  }

  /** Sends a signal to the master. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }

  /** Resolves when `condition` holds; fails with the error log when it does not in time. */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + WAIT_TIMEOUT_MS
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`timeout: ${what}\n${this.stderr}${tail(this.errorLog())}`)
      await delay(POLL_MS)
    }
  }

  /** Resolves when the error log has a match. */
  async logged(pattern: RegExp): Promise<void> {
    await this.until(`${pattern} in the error log`, () => pattern.test(this.errorLog()))
  }

  /** Writes another configuration (when given), reloads, and resolves when it serves. */
  async reload(conf?: string): Promise<void> {
    if (conf !== undefined) this.prefix.write('nginx.conf', withDefaults(conf))
    const before = this.errorLog().length
    this.signal('SIGHUP')
    await this.until('reload', () => {
      const since = this.errorLog().slice(before)
      if (/\[emerg\]/.test(since)) throw new Error(`reload failed\n${since}`)
      return / exited with code 0/.test(since)
    })
  }

  /** Reloads a configuration that must be refused; returns what was logged. */
  async reloadRefused(conf: string): Promise<string> {
    this.prefix.write('nginx.conf', withDefaults(conf))
    const before = this.errorLog().length
    this.signal('SIGHUP')
    await this.until('refusal', () => /\[emerg\]/.test(this.errorLog().slice(before)))
    return this.errorLog().slice(before)
  }

  /** True when something listens on a port. */
  async listens(n = 0): Promise<boolean> {
    try {
      const client = await this.connect(n)
      client.close()
      return true
    } catch {
      return false
    }
  }

  /** Sends bytes and returns all that comes back until the server closes. */
  async raw(request: string, n = 0): Promise<string> {
    const client = await this.connect(n)
    client.write(request)
    return client.rest()
  }

  /** Opens a connection that is driven by hand. */
  connect(n = 0): Promise<Client> {
    return Client.connect(this.port(n))
  }

  /** Ends the server gracefully and resolves with how it ended. */
  async stop(signal: NodeJS.Signals = 'SIGQUIT'): Promise<Ended> {
    const { pid } = this
    const known = pid !== this.child.pid || this.#end === undefined
    if (known && isAlive(pid)) process.kill(pid, signal)
    await this.ended
    await gone(pid)
    return this.ended
  }

  /** Lets the server end gracefully, which must not take long once all its clients are gone; otherwise tells why not. */
  async #stopQuickly(): Promise<string | undefined> {
    const slow = this.#options.busyAtEnd !== undefined
    let late: string | undefined
    const ender = setTimeout(
      () => {
        if (!slow) late = `the server did not end in ${QUICK_STOP_MS} ms\n${tail(this.errorLog())}`
        if (isAlive(this.pid)) process.kill(this.pid, 'SIGTERM')
      },
      slow ? 0 : QUICK_STOP_MS,
    )
    const killer = setTimeout(() => this.child.kill('SIGKILL'), QUICK_STOP_MS + STOP_TIMEOUT_MS)
    await this.stop('SIGQUIT')
    clearTimeout(ender)
    clearTimeout(killer)
    return late
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const late = await this.#stopQuickly()
    const alerts = this.errorLog().match(/^.*\[alert\].*$/gm)
    if (process.env['KEEP_TEST_DIRS'] === undefined) this.prefix.remove()
    const problems = late === undefined ? [] : [late]
    if (alerts !== null && !this.#options.alerts) problems.push(`the server logged: ${alerts.join('\n')}`)
    if (problems.length > 0) throw new Error(problems.join('\n'))
  }
}

/** Starts a server and resolves when it listens. */
export async function startViaduct(conf: string, options: StartOptions = {}): Promise<Server> {
  const prefix = await Prefix.create(withDefaults(conf), options.files)
  options.prepare?.(prefix.dir)
  if (options.uid !== undefined) fs.chownSync(prefix.dir, options.uid, options.uid)
  const server = new Server(prefix, options)
  const deadline = performance.now() + START_TIMEOUT_MS
  let end: Ended | undefined
  void server.ended.then((ended) => {
    end = ended
  })
  while (!/^\d+\n$/.test(prefix.read('nginx.pid'))) {
    if (end?.code === 0 && /^\s*daemon\s+on\s*;/m.test(conf)) end = undefined
    if (end !== undefined || performance.now() > deadline) {
      server.child.kill('SIGKILL')
      const why = end === undefined ? 'does not listen' : `ended with ${end.code ?? end.signal}`
      const text = `the server ${why}\n${server.stderr}${tail(server.errorLog())}`
      prefix.remove()
      throw new Error(text)
    }
    await delay(POLL_MS)
  }
  return server
}

/** Runs the program to its end with these words. */
export function runViaduct(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const child = spawn(VIADUCT, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const killer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('latin1').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(killer)
      resolve({ code, signal, stdout, stderr })
    })
  })
}

/** One connection driven by hand; everything received is kept. */
export class Client {
  readonly socket: net.Socket
  /** All bytes so far, one per char. */
  received = ''
  #closed = false
  #wake: () => void = () => {}

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  static connect(port: number, host = '127.0.0.1'): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port, host }, () => resolve(new Client(socket)))
      socket.once('error', reject)
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  write(text: string): void {
    this.socket.write(text, 'latin1')
  }

  /** Resolves when what was received has a match, with all of it. Fails when the connection closes first. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      if (this.#closed) throw new Error(`closed before ${pattern}: ${JSON.stringify(this.received)}`)
      await this.#change()
    }
    return this.received
  }

  /** Resolves with everything when the server closes. */
  async rest(): Promise<string> {
    while (!this.#closed) await this.#change()
    return this.received
  }

  close(): void {
    this.socket.destroy()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer: ${JSON.stringify(this.received)}`)), WAIT_TIMEOUT_MS)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** True while a process runs; one that has ended and that nobody has asked about yet does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/\) [ZX] /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

async function gone(pid: number): Promise<void> {
  const deadline = performance.now() + STOP_TIMEOUT_MS
  while (isAlive(pid)) {
    if (performance.now() > deadline) {
      process.kill(pid, 'SIGKILL')
      return
    }
    await delay(POLL_MS)
  }
}

function tail(log: string): string {
  return log.slice(-LOG_SHOWN_MAX)
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Puts what the text lacks before its first line. */
export function withDefaults(conf: string): string {
  const defaults: readonly [RegExp, string][] = [
    [/^\s*daemon\s/m, 'daemon off;'],
    [/^\s*pid\s/m, 'pid %%DIR%%/nginx.pid;'],
    [/^\s*error_log\s/m, 'error_log %%DIR%%/error.log debug;'],
    [/^\s*events\s*\{/m, 'events { }'],
  ]
  const missing = defaults.filter(([pattern]) => !pattern.test(conf)).map(([, line]) => line)
  return [...missing, conf].join(' ')
}
