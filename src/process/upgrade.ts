/**
 * Binary upgrade (USR2): a new master is started beside this one and inherits the listening sockets. Which descriptor
 * is which address is told in one environment variable: `FD KIND KEY` entries, separated by semicolons.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Listen, SocketBook } from './socket-book.ts'

const VARIABLE = 'VIADUCT_SOCKETS'
const FIRST_INHERITED_FD = 3

/** How to start this program again, with the arguments that it was started with. */
export function ownCommand(): { readonly file: string; readonly args: readonly string[] } {
  const launcher = process.env['VIADUCT_LAUNCHER']
  const args = process.argv.slice(2)
  if (launcher !== undefined) return { file: launcher, args }
  return { file: process.execPath, args: [...process.execArgv, process.argv[1]!, ...args] }
}

/** Starts a new master that inherits every socket of the book. */
export function startNewBinary(book: SocketBook): ChildProcess {
  const entries = [...book.entries()]
  const described = entries.map(({ key, kind }, i) => `${FIRST_INHERITED_FD + i} ${kind} ${key}`)
  const { file, args } = ownCommand()
  return spawn(file, args, {
    stdio: ['ignore', 'ignore', 'inherit', ...entries.map((entry) => entry.fd)],
    env: { ...process.env, [VARIABLE]: described.join(';') },
  })
}

/** One inherited socket. */
interface Inherited {
  readonly fd: number
  readonly kind: Listen['kind']
  readonly key: string
}

/** What an older master left to this one; `text` is how it said so. */
export interface Inheritance {
  readonly text: string
  readonly sockets: readonly Inherited[]
}

/** Returns what an older master left to this one, or undefined when there was none; asked once. */
export function takeInherited(): Inheritance | undefined {
  const text = process.env[VARIABLE]
  if (text === undefined) return undefined
  delete process.env[VARIABLE]
  const sockets = text.split(';').flatMap((entry): Inherited[] => {
    const match = /^(\d+) (tcp|udp|unix) (.+)$/.exec(entry)
    return match === null ? [] : [{ fd: Number(match[1]), kind: match[2] as Listen['kind'], key: match[3]! }]
  })
  return { text, sockets }
}
