/**
 * Listening sockets that come from elsewhere, in one of three ways:
 *
 * - binary upgrade (USR2): a new master is started beside this one and inherits its sockets. Which descriptor is which
 *   address is told in one environment variable: `FD KIND KEY` entries, separated by semicolons;
 * - the same by nginx itself, whose program this one has replaced: `NGINX="6;7;"` are descriptors;
 * - socket activation: a service manager has opened sockets and passes them from descriptor 3 on (sd_listen_fds(3)).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { kernelSocket } from './kernel-sockets.ts'
import type { Giver, Listen, SocketBook } from './socket-book.ts'

const VARIABLE = 'VIADUCT_SOCKETS'
const NGINX_VARIABLE = 'NGINX'
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
    stdio: ['ignore', 'inherit', 'inherit', ...entries.map((entry) => entry.fd)],
    // The program may be nginx again, which then goes on as well.
    env: {
      ...process.env,
      [VARIABLE]: described.join(';'),
      [NGINX_VARIABLE]: entries.map((_, i) => `${FIRST_INHERITED_FD + i};`).join(''),
    },
  })
}

/** One inherited socket. */
interface Inherited {
  readonly fd: number
  readonly kind: Listen['kind']
  readonly key: string
}

/** What was left to this process. */
export interface Inheritance {
  readonly from: Giver
  /** How it was told, for the log. */
  readonly text: string
  readonly sockets: readonly Inherited[]
  /** Descriptors that are no bound sockets. */
  readonly bad: readonly number[]
}

/** Returns what was left to this process, or undefined when it was nothing; asked once. */
export function takeInherited(): Inheritance | undefined {
  const { env } = process
  const own = env[VARIABLE]
  const nginx = env[NGINX_VARIABLE]
  const count = env['LISTEN_PID'] === String(process.pid) ? Number(env['LISTEN_FDS']) : 0
  for (const name of [VARIABLE, NGINX_VARIABLE, 'LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  if (own !== undefined) return fromMaster(own)
  if (nginx !== undefined) {
    const numbers = nginx.split(/[:;]/).filter((word) => /^\d+$/.test(word))
    return { from: 'nginx', text: nginx, ...identified(numbers.map(Number)) }
  }
  if (!(count > 0)) return undefined
  const numbers = Array.from({ length: count }, (_, i) => FIRST_INHERITED_FD + i)
  return { from: 'manager', text: numbers.map((fd) => `${fd};`).join(''), ...identified(numbers) }
}

function fromMaster(text: string): Inheritance {
  const sockets = text.split(';').flatMap((entry): Inherited[] => {
    const match = /^(\d+) (tcp|udp|unix) (.+)$/.exec(entry)
    return match === null ? [] : [{ fd: Number(match[1]), kind: match[2] as Listen['kind'], key: match[3]! }]
  })
  return { from: 'viaduct', text, sockets, bad: [] }
}

function identified(numbers: readonly number[]): Pick<Inheritance, 'sockets' | 'bad'> {
  const sockets: Inherited[] = []
  const bad: number[] = []
  for (const fd of numbers) {
    const found = kernelSocket(fd)
    if (found === undefined) bad.push(fd)
    else sockets.push({ fd, ...found })
  }
  return { sockets, bad }
}
