/** The real applications behind the server: FastAPI under uvicorn, a Vite dev server, memcached. Each ends with its block. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../harness/ports.ts'

/** The folder of the example that holds both applications and the configurations. */
export const EXAMPLE: string = fileURLToPath(new URL('../../examples/fastapi-vite/', import.meta.url))

const VITE = fileURLToPath(new URL('../../node_modules/vite/bin/vite.js', import.meta.url))
/** Debian's Python has Debian's packages; another one may come first on the path. */
const PYTHON = process.env['PYTHON'] ?? '/usr/bin/python3'
const START_TIMEOUT_MS = 30_000
const POLL_MS = 20

/** A running program with a port on 127.0.0.1. */
export class BackEnd implements AsyncDisposable {
  readonly port: number
  /** The folder that it works in. */
  readonly folder: string
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #temporary: boolean
  #output = ''

  private constructor(command: readonly string[], port: number, folder: string, temporary: boolean) {
    this.port = port
    this.folder = folder
    this.#temporary = temporary
    const [program, ...args] = command
    this.#child = spawn(program!, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
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
    return new BackEnd(command, port!, `${EXAMPLE}backend`, false).#started()
  }

  /** Starts a Vite dev server on a copy of the example's page, so that a test may edit it. */
  static async vite(): Promise<BackEnd> {
    const [port] = await freePorts(1)
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-vite-'))
    fs.cpSync(`${EXAMPLE}frontend`, folder, { recursive: true })
    fs.rmSync(`${folder}/tsconfig.json`)
    const command = [process.execPath, VITE, '--host', '127.0.0.1', '--port', `${port}`, '--strictPort']
    return new BackEnd(command, port!, folder, true).#started()
  }

  /** Starts an empty memcached. */
  static async memcached(): Promise<BackEnd> {
    const [port] = await freePorts(1)
    const command = ['memcached', '-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-u', 'nobody']
    return new BackEnd(command, port!, os.tmpdir(), false).#started()
  }

  /** What the program wrote. */
  get output(): string {
    return this.#output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
    if (this.#temporary) fs.rmSync(this.folder, { recursive: true, force: true })
  }

  async #started(): Promise<BackEnd> {
    const deadline = performance.now() + START_TIMEOUT_MS
    let gone = false
    void this.#ended.then(() => {
      gone = true
    })
    while (!(await listens(this.port))) {
      if (gone || performance.now() > deadline) {
        await this[Symbol.asyncDispose]()
        throw new Error(`the application did not start\n${this.#output}`)
      }
      await delay(POLL_MS)
    }
    return this
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
