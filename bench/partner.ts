/** The partner of a scenario, seen from the benchmark: see partners/partner.ts. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FromPartner, Task, Timed } from './partners/partner.ts'
import { LOAD_CORE } from './servers.ts'

/** A running partner. */
export class Partner {
  readonly child: ChildProcess
  readonly address: string

  private constructor(child: ChildProcess, address: string) {
    this.child = child
    this.address = address
  }

  /** Starts `partners/<name>.ts` on the core of the load. */
  static async start(name: string): Promise<Partner> {
    const file = fileURLToPath(new URL(`partners/${name}.ts`, import.meta.url))
    const words = ['-c', String(LOAD_CORE), process.execPath, file]
    const child = spawn('taskset', words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [message] = (await once(child, 'message')) as [FromPartner]
    if (!('port' in message)) throw new Error(`${name} does not listen`)
    return new Partner(child, `127.0.0.1:${message.port}`)
  }

  async measure(task: Task): Promise<Timed> {
    this.child.send(task)
    const either = new AbortController()
    const { signal } = either
    const [message] = (await Promise.race([
      once(this.child, 'message', { signal }),
      once(this.child, 'exit', { signal }),
    ])) as [FromPartner]
    either.abort()
    if (typeof message !== 'object' || !('measured' in message)) throw new Error(JSON.stringify(message))
    return message.measured
  }
}
