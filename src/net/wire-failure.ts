/** Why a wire is gone, or was never there: as data, so that nobody has to read a text again to know what it was about. */
import { errnoText } from '../lib/errno.ts'
import { ALERT, CRIT, ERROR } from '../log/error-log.ts'

/** The system call that failed. */
export type SystemCall = 'socket' | 'setsockopt' | 'bind' | 'connect' | 'recv' | 'writev' | 'sendfile' | 'pread'

/** What went wrong with a wire. */
export type WireFailure =
  /** The system refused something; `on`: the address, or option, that it was asked for where that has to be told, or empty. */
  | { readonly kind: 'system'; readonly call: SystemCall; readonly errno: string; readonly on: string }
  /** TLS, ours or the other side's, gave up; `problem` says why. With `begun: false` nothing was said to the other side. */
  | { readonly kind: 'tls'; readonly problem: string; readonly begun?: false }

/** What a network or another machine may do at any time (ngx_connection_error). */
const USUAL: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ENOTCONN',
  'ETIMEDOUT',
  'ECONNREFUSED',
  'ENETDOWN',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EHOSTUNREACH',
])
/** The same for a connect() that fails at once; Linux says EAGAIN when a unix socket's queue is full (ngx_event_connect_peer). */
const USUAL_AT_ONCE: ReadonlySet<string> = new Set([
  'EAGAIN',
  'ECONNRESET',
  'ECONNREFUSED',
  'ENETDOWN',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EHOSTUNREACH',
])

/** What this machine does before the other side is asked. */
const OURS: ReadonlySet<SystemCall> = new Set(['socket', 'setsockopt', 'bind'])

/** Says it as nginx does: `recv() failed (104: ...)`, `connect() to ADDRESS failed (...)`, `bind(ADDRESS) failed (...)`. */
export function wireFailureText(failure: WireFailure): string {
  if (failure.kind === 'tls') return failure.problem
  const { call, errno, on } = failure
  const within = call === 'bind' || call === 'setsockopt'
  const what = within ? `${call}(${on})` : on === '' ? `${call}()` : `${call}() to ${on}`
  return `${what} failed ${errnoText(errno)}`
}

/** How loud nginx says it. */
export function wireFailureLevel(failure: WireFailure): number {
  if (failure.kind === 'tls') return ERROR
  const { call, errno, on } = failure
  if (call === 'socket' || call === 'setsockopt') return ALERT
  if (call === 'bind') return CRIT
  if (on !== '') return USUAL_AT_ONCE.has(errno) ? ERROR : CRIT
  return USUAL.has(errno) ? ERROR : ALERT
}

/** True for what this machine lacks: the other side has not been asked. */
export function isOurs(failure: WireFailure): boolean {
  return failure.kind === 'system' ? OURS.has(failure.call) : failure.begun === false
}
