/**
 * What drives the sockets of this thread: Node's handles, or a ring of its own (docs/adr/0020). The choice is made once,
 * before the first socket is opened. TLS is spoken on the ring by OpenSSL itself, where it can be had and is not switched off,
 * and on handles by Node's engine.
 */
import fs from 'node:fs'
import os from 'node:os'
import { getSystemErrorName } from 'node:util'
import { errnoText } from '../lib/errno.ts'
import { calls, whyNoCalls } from '../sys/calls.ts'
import { SslEstate, settleSsl } from '../sys/ssl-estate.ts'
import { sslThread } from '../sys/ssl-thread.ts'
import { ASKED, Ring } from './ring.ts'
import { Estate } from './ring-estate.ts'
import { RingVigil } from './ring-vigil.ts'

let ring: Ring | undefined
let tls = false
let expectsTls = false

/** The ring of this thread, if it has one. */
export function threadRing(): Ring | undefined {
  return ring
}

/** Says why OpenSSL cannot be called here; empty when it can. */
export function whyNoSsl(): string {
  const thread = sslThread()
  return typeof thread === 'string' ? thread : ''
}

/** Says what the configuration that is compiled next asks for. */
export function expectRing(asked: boolean, withTls: boolean): void {
  expectsTls = asked && withTls
}

/** TLS will be spoken on rings, as far as it shows here. */
export function expectsTlsOnRing(): boolean {
  return expectsTls && whyNoRingHere() === '' && whyNoSsl() === ''
}

/** TLS of this thread is spoken on its ring, by OpenSSL's own engine; else on handles, by Node's. */
export function speaksTlsOnRing(): boolean {
  return tls
}

/**
 * Gives this thread a ring; a text says why it has none. In `estate` is what the thread leaves when it dies. `withTls`: TLS
 * is spoken on it, too, where OpenSSL can be had.
 */
export function startRing(estate: SharedArrayBuffer | undefined, withTls: boolean): string {
  if (ring !== undefined) return ''
  const made = openRing()
  if (typeof made === 'string') return made
  const notes = estate === undefined ? undefined : new Estate(estate)
  const started = made.start(notes)
  if (started < 0) {
    made.close()
    return noRing(started)
  }
  ring = made
  made.vigil = new RingVigil(made, made.bell)
  if (withTls) startTls(made, notes)
  return ''
}

function startTls({ calls }: Ring, notes: Estate | undefined): void {
  const thread = sslThread()
  tls = typeof thread !== 'string'
  if (typeof thread === 'string' || notes === undefined) return
  thread.estate = SslEstate.make(calls)
  if (thread.estate !== undefined) notes.setTls(thread.estate.address)
}

/** Closes what a thread that is gone had on its ring. */
export function settleEstate(memory: SharedArrayBuffer): void {
  const estate = new Estate(memory)
  const system = estate.used ? calls() : ''
  if (typeof system === 'string') return
  if (estate.tls !== 0) settleSsl(system, estate.tls)
  estate.settle(system, ASKED.ACCEPT)
}

/** Says why a thread of this program can have no ring; empty when it can. */
export function whyNoRing(): string {
  const made = openRing()
  if (typeof made === 'string') return made
  made.close()
  return ''
}

/**
 * The same, as far as it shows without a ring being made, which takes time and memory: what remains is a kernel with a limit
 * of its own. Where system calls are filtered, only trying tells.
 */
export function whyNoRingHere(): string {
  const why = whyNoCalls()
  if (why !== '') return why
  const [major = 0, minor = 0] = os.release().split('.').map(Number)
  if (major < 6 || (major === 6 && minor < 1)) return `Linux 6.1 or later is needed, this is ${os.release()}`
  // 1 is for all but root and a group, to which the worker may belong.
  if (read('/proc/sys/kernel/io_uring_disabled').startsWith('2')) return 'kernel.io_uring_disabled is 2'
  return /^Seccomp:\s*2/m.test(read('/proc/self/status')) ? whyNoRing() : ''
}

function read(file: string): string {
  // tidy: once per start, and a file that is not there says nothing
  try {
    return fs.readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

/** Lets the process end, whose only thread is this one. */
export function releaseRing(): void {
  ring?.unref()
}

/** Some output of this thread waits for its peers. */
export function ringIsSending(): boolean {
  return ring?.sending ?? false
}

function openRing(): Ring | string {
  const system = calls()
  if (typeof system === 'string') return system
  const made = Ring.open(system)
  if (typeof made !== 'number') return made
  return noRing(made)
}

function noRing(errno: number): string {
  return `io_uring_setup() failed ${errnoText(getSystemErrorName(errno))}`
}
