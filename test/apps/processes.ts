/** The processes of a server under test: which one is the engine, and what memory it holds. */
import fs from 'node:fs'
import type { Server } from '../harness/server.ts'

/** The process below the master that holds the worker threads. */
export function engineOf(server: Server): number {
  const children = fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1').trim()
  if (!/^\d+$/.test(children)) throw new Error(`not one engine below the master: "${children}"`)
  return Number(children)
}

/** Looks at a process's resident memory again and again. */
export class MemoryWatch implements Disposable {
  readonly #pid: number
  readonly #timer: NodeJS.Timeout
  readonly #start: number
  #highest: number

  constructor(pid: number, everyMs = 20) {
    this.#pid = pid
    this.#start = residentBytes(pid)
    this.#highest = this.#start
    this.#timer = setInterval(() => this.#look(), everyMs)
  }

  /** How far memory rose above where it was when watching began, in bytes. */
  growth(): number {
    this.#look()
    return this.#highest - this.#start
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    this.#highest = Math.max(this.#highest, residentBytes(this.#pid))
  }
}

function residentBytes(pid: number): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}
