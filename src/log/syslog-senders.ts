/**
 * How syslog messages leave the process. Each server has one sender per thread, shared by all logs and kept over reloads.
 *
 * UDP is a connected socket, so that sending is one immediate system call. The system log on this machine, `/dev/log`, is
 * a UNIX datagram socket, which Node can neither open nor be given: those messages go through the pipe of a small helper
 * process (Perl, which Debian and its like always have, or Python), which ends with its pipe. Where there is neither,
 * the configuration is refused.
 *
 * `node:dgram` belongs to net/, which stands above this folder: it is loaded here, when first needed, because the log has
 * to work before and below everything else.
 */

import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:dgram'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fromBinary } from '../lib/bytes.ts'
import { clock } from '../lib/clock.ts'

/** Messages kept while a socket is being connected. */
const QUEUE_COUNT_MAX = 1000
/** Bytes that a slow helper may leave unread before messages are dropped. */
const PIPE_SIZE_MAX = 1024 * 1024

/** Each reads lines and sends them as datagrams, connecting again once when the other end has been restarted. */
const RELAYS: readonly { readonly program: string; readonly args: readonly string[] }[] = [
  {
    program: 'perl',
    args: [
      '-MSocket',
      '-e',
      'my $to = pack_sockaddr_un(shift); my $s; while (<STDIN>) { chomp; for my $try (0, 1) { unless ($s) { ' +
        'socket($s, PF_UNIX, SOCK_DGRAM, 0) && connect($s, $to) or do { undef $s; last } } ' +
        'last if defined send($s, $_, 0); undef $s } }',
    ],
  },
  {
    program: 'python3',
    args: [
      '-c',
      'import socket, sys\ns = None\nfor line in sys.stdin.buffer:\n for again in (0, 1):\n  try:\n' +
        '   if s is None:\n    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n    s.connect(sys.argv[1])\n' +
        '   s.send(line[:-1])\n   break\n  except OSError:\n   s = None\n',
    ],
  },
]

/** Where messages go: `port` is 0 for a UNIX datagram socket, and `host` then its path. */
export interface SyslogServer {
  readonly host: string
  readonly port: number
}

/** Hears why a message could not be sent. */
type OnFailure = (error: unknown) => void

/** Sends whole messages; never waits, never throws, and may lose some. */
export interface SyslogSender {
  send(message: Buffer, onFailure: OnFailure): void
}

const senders = new Map<string, SyslogSender>()

/** Returns the sender of this thread for a server. */
export function senderFor(server: SyslogServer): SyslogSender {
  const key = `${server.host} ${server.port}`
  let sender = senders.get(key)
  if (sender === undefined) {
    sender = server.port === 0 ? new RelaySender(server.host) : new UdpSender(server)
    senders.set(key, sender)
  }
  return sender
}

/** Tells why UNIX datagram sockets cannot be used on this machine; undefined when they can. */
export function relayProblem(): string | undefined {
  return findRelay() === undefined ? 'unix datagram sockets need perl or python3, which was not found,' : undefined
}

class UdpSender implements SyslogSender {
  readonly #server: SyslogServer
  #socket: Socket | undefined = undefined
  #queue: Buffer[] | undefined = undefined
  #onFailure: OnFailure = ignore
  readonly #onSent = (error: unknown): void => {
    if (error instanceof Error) this.#onFailure(error)
  }
  #failedSecond = 0

  constructor(server: SyslogServer) {
    this.#server = server
  }

  send(message: Buffer, onFailure: OnFailure): void {
    this.#onFailure = onFailure
    if (this.#socket === undefined && clock.seconds !== this.#failedSecond) this.#connect()
    if (this.#queue !== undefined) {
      if (this.#queue.length < QUEUE_COUNT_MAX) this.#queue.push(message)
    } else {
      // That nobody was there for an earlier message is reported for this one, which has not been sent then.
      this.#socket?.send(message, (error: unknown) => {
        if (error instanceof Error) this.#sendAgain(message, error)
      })
    }
  }

  #sendAgain(message: Buffer, error: Error): void {
    this.#onFailure(error)
    this.#socket?.send(message, this.#onSent)
  }

  #connect(): void {
    const { host, port } = this.#server
    const socket = process.getBuiltinModule('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4')
    this.#socket = socket
    this.#queue = []
    socket.unref()
    // An unreachable port is reported between messages too; a socket that never connected is of no use.
    socket.on('error', (error) => this.#fail(socket, error))
    socket.connect(port, host, (error?: unknown) => {
      if (error instanceof Error) {
        this.#fail(socket, error)
        return
      }
      const waiting = this.#queue ?? []
      this.#queue = undefined
      for (const message of waiting) socket.send(message, this.#onSent)
    })
  }

  #fail(socket: Socket, error: Error): void {
    if (this.#socket !== socket) return
    if (this.#queue !== undefined) {
      this.#queue = this.#socket = undefined
      this.#failedSecond = clock.seconds
      socket.close()
    }
    this.#onFailure(error)
  }
}

class RelaySender implements SyslogSender {
  readonly #path: string
  #child: ChildProcess | undefined = undefined
  #startedSecond = 0

  constructor(path: string) {
    this.#path = path
  }

  send(message: Buffer, onFailure: OnFailure): void {
    if (this.#child === undefined && clock.seconds !== this.#startedSecond) this.#start(onFailure)
    const pipe = this.#child?.stdin
    if (!pipe || pipe.writableLength > PIPE_SIZE_MAX) return
    // Lines frame the messages in the pipe, so a line feed inside of one becomes a blank.
    const line = Buffer.alloc(message.length + 1, 0x0a)
    for (let i = 0; i < message.length; i++) line[i] = message[i] === 0x0a ? 0x20 : message[i]!
    pipe.write(line)
  }

  #start(onFailure: OnFailure): void {
    this.#startedSecond = clock.seconds
    const relay = findRelay()
    if (relay === undefined) {
      onFailure('ENOENT')
      return
    }
    // Its own session: signals to the terminal's group must not end it before the last messages.
    const child = process
      .getBuiltinModule('node:child_process')
      .spawn(relay.program, [...relay.args, fromBinary(this.#path)], {
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      })
    this.#child = child
    const gone = (): void => {
      if (this.#child === child) this.#child = undefined
    }
    child.on('error', (error) => {
      gone()
      onFailure(error)
    })
    child.on('exit', gone)
    child.stdin.on('error', gone)
    child.unref()
    unrefPipe(child.stdin)
  }
}

function unrefPipe(pipe: object): void {
  if ('unref' in pipe && typeof pipe.unref === 'function') pipe.unref()
}

function ignore(): void {}

function findRelay(): { readonly program: string; readonly args: readonly string[] } | undefined {
  for (const { program, args } of RELAYS) {
    for (const folder of (process.env['PATH'] || '/usr/bin:/bin').split(delimiter)) {
      const path = join(folder, program)
      if (isExecutable(path)) return { program: path, args }
    }
  }
  return undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
