/** Sockets that may be bound to addresses which are not this machine's (`proxy_bind ... transparent`). */
import { getSystemErrorName } from 'node:util'
import { type Calls, calls, SOCK_STREAM_CLOEXEC_NONBLOCK, whyNoCalls } from '../sys/calls.ts'
import { noteShortage } from './descriptors.ts'
import type { WireFailure } from './wire-failure.ts'

const AF_INET = 2
const AF_INET6 = 10
const SOL_IP = 0
const IP_TRANSPARENT = 19
const SOL_IPV6 = 41
const IPV6_TRANSPARENT = 75

/** Says why there can be none; empty when there can. */
export function whyNotTransparent(): string {
  return whyNoCalls()
}

/** Makes one that will be connected to `host`. */
export function transparentSocket(host: string): number | WireFailure {
  const system = calls()
  if (typeof system === 'string') return { kind: 'system', call: 'socket', errno: 'ENOSYS', on: '' }
  const fd = system.socket(host.includes(':') ? AF_INET6 : AF_INET, SOCK_STREAM_CLOEXEC_NONBLOCK)
  if (fd < 0) {
    const errno = getSystemErrorName(fd)
    noteShortage(errno)
    return { kind: 'system', call: 'socket', errno, on: '' }
  }
  const failure = makeTransparent(system, fd, host)
  if (failure === undefined) return fd
  system.close(fd)
  return failure
}

/** Lets a socket be one, which will be connected to `host` (ngx_event_connect_set_transparent). */
export function makeTransparent(system: Calls, fd: number, host: string): WireFailure | undefined {
  const six = host.includes(':')
  const result = system.turnOn(fd, six ? SOL_IPV6 : SOL_IP, six ? IPV6_TRANSPARENT : IP_TRANSPARENT)
  if (result === 0) return undefined
  const on = six ? 'IPV6_TRANSPARENT' : 'IP_TRANSPARENT'
  return { kind: 'system', call: 'setsockopt', errno: getSystemErrorName(result), on }
}
