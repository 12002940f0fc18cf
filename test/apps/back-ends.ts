/**
 * The real applications behind the server: FastAPI under uvicorn or gunicorn, a Vite dev server, a Go server, memcached,
 * a gRPC server in Python, php-fpm, CGI programs under fcgiwrap, Django under uWSGI, a server of Perl's SCGI.
 * Each ends with its block.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePorts } from '../harness/ports.ts'

/** The folder of the example that holds both applications and the configurations. */
export const EXAMPLE: string = fileURLToPath(new URL('../../examples/fastapi-vite/', import.meta.url))

const VITE = fileURLToPath(new URL('../../node_modules/vite/bin/vite.js', import.meta.url))
/** Debian's Python has Debian's packages; another one may come first on the path. */
export const PYTHON: string = process.env['PYTHON'] ?? '/usr/bin/python3'
/** The gRPC server's source. */
const GRPC_SOURCE = fileURLToPath(new URL('fixtures/grpc_echo.py', import.meta.url))
/** The Go server's source. */
const GO_SOURCE = fileURLToPath(new URL('fixtures/server.go', import.meta.url))
/** The Django application's source, and that of the SCGI server. */
const DJANGO_SOURCE = fileURLToPath(new URL('fixtures/django_app.py', import.meta.url))
const SCGI_SOURCE = fileURLToPath(new URL('fixtures/scgi_app.pl', import.meta.url))
const START_TIMEOUT_MS = 30_000
const POLL_MS = 20

/** Where a program listens and works, and how it ends. */
interface Place {
  /** A port on 127.0.0.1, or a socket's path. */
  readonly at: number | string
  readonly folder: string
  /** A folder to remove at the end. */
  readonly temporary?: string
  /** A program with children of its own must be asked to end. */
  readonly end?: NodeJS.Signals
}

/** A running program with a port on 127.0.0.1, or with a socket's path. */
export class BackEnd implements AsyncDisposable {
  readonly #place: Place
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #output = ''

  private constructor(command: readonly string[], place: Place) {
    this.#place = place
    const [program, ...args] = command
    this.#child = spawn(program!, args, { cwd: place.folder, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
      })
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve())
      this.#child.once('exit', () => resolve())
    })
  }

  /** Starts the API of the example. */
  static async fastApi(): Promise<BackEnd> {
    const [port] = await freePorts(1)
    const command = [PYTHON, '-B', '-m', 'uvicorn', 'app:app', '--host', '127.0.0.1', '--port', `${port}`]
    return new BackEnd(command, { at: port!, folder: `${EXAMPLE}backend` }).#started()
  }

  /** Starts a Vite dev server on a copy of the example's page, so that a test may edit it. */
  static async vite(): Promise<BackEnd> {
    const [port] = await freePorts(1)
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-vite-'))
    fs.cpSync(`${EXAMPLE}frontend`, folder, { recursive: true })
    fs.rmSync(`${folder}/tsconfig.json`)
    const command = [process.execPath, VITE, '--host', '127.0.0.1', '--port', `${port}`, '--strictPort']
    return new BackEnd(command, { at: port!, folder, temporary: folder }).#started()
  }

  /** Starts an empty memcached. */
  static async memcached(): Promise<BackEnd> {
    const [port] = await freePorts(1)
    const command = ['memcached', '-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-u', 'nobody']
    return new BackEnd(command, { at: port!, folder: os.tmpdir() }).#started()
  }

  /** Starts the API of the example under gunicorn, with two workers, on a Unix socket that every user may use. */
  static async gunicorn(): Promise<BackEnd> {
    const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-gunicorn-'))
    fs.chmodSync(temporary, 0o755)
    const at = path.join(temporary, 'app.sock')
    const workers = ['-w', '2', '-k', 'uvicorn.workers.UvicornWorker', '--umask', '0', '--graceful-timeout', '1']
    const command = [PYTHON, '-B', '-m', 'gunicorn', ...workers, '--bind', `unix:${at}`, 'app:app']
    return new BackEnd(command, { at, folder: `${EXAMPLE}backend`, temporary, end: 'SIGTERM' }).#started()
  }

  /** Starts a gRPC server of Python's grpcio. */
  static async grpc(): Promise<BackEnd> {
    const [port] = await freePorts(1)
    return new BackEnd([PYTHON, '-B', GRPC_SOURCE, 'serve', `${port}`], { at: port!, folder: os.tmpdir() }).#started()
  }

  /** Compiles the Go server and starts one for each of `idle`: how long it keeps connections that are idle, as Go writes it. */
  static async go(idle: readonly string[]): Promise<BackEnd[]> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-go-'))
    const env = { ...process.env, GOCACHE: path.join(folder, 'cache'), GO111MODULE: 'off', CGO_ENABLED: '0' }
    await promisify(execFile)('go', ['build', '-o', path.join(folder, 'server'), GO_SOURCE], { env })
    const ports = await freePorts(idle.length)
    const start = (at: number, n: number) =>
      new BackEnd([path.join(folder, 'server'), `127.0.0.1:${at}`, idle[n]!], { at, folder, temporary: folder })
    return Promise.all(ports.map((port, n) => start(port, n).#started()))
  }

  /**
   * Starts php-fpm with `children` processes on a Unix socket that every user may use; scripts see `folder`. Their errors
   * are told to the server.
   */
  static async phpFpm(folder: string, children: number): Promise<BackEnd> {
    const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-php-'))
    fs.chmodSync(temporary, 0o755)
    const at = path.join(temporary, 'php-fpm.sock')
    const { username } = os.userInfo()
    const pool = [
      `[global]\nerror_log = ${temporary}/php-fpm.log\ndaemonize = no\n[www]`,
      ...(process.getuid!() === 0 ? [`user = ${username}`] : []),
      `listen = ${at}\nlisten.mode = 0666\npm = static\npm.max_children = ${children}`,
      `php_admin_value[session.save_path] = ${temporary}\nphp_admin_value[upload_tmp_dir] = ${temporary}`,
      'php_admin_value[upload_max_filesize] = 60M\nphp_admin_value[post_max_size] = 60M',
    ]
    fs.writeFileSync(path.join(temporary, 'php-fpm.conf'), `${pool.join('\n')}\n`)
    const command = [
      fpmProgram(),
      '--nodaemonize',
      '--allow-to-run-as-root',
      '-y',
      path.join(temporary, 'php-fpm.conf'),
    ]
    return new BackEnd(command, { at, folder, temporary, end: 'SIGTERM' }).#started()
  }

  /** Starts fcgiwrap, which runs CGI programs behind FastCGI. */
  static async fcgiwrap(): Promise<BackEnd> {
    const [port] = await freePorts(1)
    const command = ['fcgiwrap', '-f', '-s', `tcp:127.0.0.1:${port}`]
    return new BackEnd(command, { at: port!, folder: os.tmpdir(), end: 'SIGTERM' }).#started()
  }

  /** Starts a Django application under uWSGI, with two processes. */
  static async uwsgi(): Promise<BackEnd> {
    const [port] = await freePorts(1)
    const where = ['--socket', `127.0.0.1:${port}`, '--wsgi-file', DJANGO_SOURCE]
    const command = ['uwsgi', '--plugin', 'python3', ...where, '--master', '--processes', '2', '--die-on-term']
    return new BackEnd(command, { at: port!, folder: os.tmpdir(), end: 'SIGTERM' }).#started()
  }

  /** Starts a server of Perl's SCGI. */
  static async scgi(): Promise<BackEnd> {
    const [port] = await freePorts(1)
    return new BackEnd(['perl', SCGI_SOURCE, `${port}`], { at: port!, folder: os.tmpdir() }).#started()
  }

  get port(): number {
    if (typeof this.#place.at === 'string') throw new Error(`it listens on ${this.#place.at}`)
    return this.#place.at
  }

  /** The path of the Unix socket, as `server unix:PATH` wants it. */
  get socketPath(): string {
    if (typeof this.#place.at === 'number') throw new Error(`it listens on port ${this.#place.at}`)
    return this.#place.at
  }

  /** The folder that it works in. */
  get folder(): string {
    return this.#place.folder
  }

  /** What the program wrote. */
  get output(): string {
    return this.#output
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { temporary, end } = this.#place
    this.#child.kill(end ?? 'SIGKILL')
    await this.#ended
    if (temporary !== undefined) fs.rmSync(temporary, { recursive: true, force: true })
  }

  async #started(): Promise<BackEnd> {
    const deadline = performance.now() + START_TIMEOUT_MS
    let gone = false
    void this.#ended.then(() => {
      gone = true
    })
    while (!(await listens(this.#place.at))) {
      if (gone || performance.now() > deadline) {
        await this[Symbol.asyncDispose]()
        throw new Error(`the application did not start\n${this.#output}`)
      }
      await delay(POLL_MS)
    }
    return this
  }
}

/** Debian names it by its version. */
function fpmProgram(): string {
  const [found] = fs.globSync('/usr/sbin/php-fpm*').toSorted()
  if (found === undefined) throw new Error('there is no php-fpm in /usr/sbin')
  return found
}

function listens(at: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof at === 'number' ? net.connect(at, '127.0.0.1') : net.connect(at)
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
