/** System calls about processes and threads themselves, as those in calls.ts: limits, CPUs, capabilities. */
import { declared, type Foreigner } from './foreign.ts'

const INT = 'int32_t'
const LONG = 'int64_t'
const POINTER = 'void*'

const PR_SET_KEEPCAPS = 8
const RLIM_INFINITY = 2n ** 64n - 1n
/** Of the structures of capset(), as they are since Linux 2.6.26. */
const CAPABILITY_VERSION = 0x20080522

/** They return 0 or a negative errno. */
interface ProcessCalls {
  /** Sets a limit (RLIMIT_*) of a process; Infinity stands for none. */
  setLimit(pid: number, resource: number, soft: number, hard: number): number
  /** Binds a thread (0: this one) to CPUs: bit n of `mask`, least significant byte first, is CPU n. */
  setAffinity(thread: number, mask: Uint8Array): number
  /** Has this thread keep the capabilities that it may use when its user is no longer root, or not. */
  keepCapabilities(keep: boolean): number
  /** Leaves this thread these capabilities alone: bit n of `mask` is capability n, of 0 to 31. */
  setCapabilities(mask: number): number
}

/** Returns the system calls, or a text that says why there are none. */
export const processCalls: () => ProcessCalls | string = declared(whyNotLinux, make)

function whyNotLinux(): string {
  return process.platform === 'linux' ? '' : `they are a part of Linux, and this is ${process.platform}`
}

function make(c: Foreigner, result: (returned: number | bigint) => number): ProcessCalls {
  const prlimit = c.func('prlimit', INT, [INT, INT, POINTER, POINTER])
  const setaffinity = c.func('sched_setaffinity', INT, [INT, LONG, POINTER])
  const prctl = c.func('prctl', INT, [INT, LONG, LONG, LONG, LONG])
  const capset = c.func('capset', INT, [POINTER, POINTER])
  return {
    setLimit(pid, resource, soft, hard) {
      const both = BigUint64Array.of(limitValue(soft), limitValue(hard))
      return result(prlimit(pid, resource, new Uint8Array(both.buffer), null))
    },
    setAffinity: (thread, mask) => result(setaffinity(thread, mask.length, mask)),
    keepCapabilities: (keep) => result(prctl(PR_SET_KEEPCAPS, keep ? 1 : 0, 0, 0, 0)),
    setCapabilities(mask) {
      const header = Uint32Array.of(CAPABILITY_VERSION, 0)
      // What is in effect, what may be, what programs get that are started; then the same of capabilities from 32 on.
      const sets = Uint32Array.of(mask, mask, 0, 0, 0, 0)
      return result(capset(new Uint8Array(header.buffer), new Uint8Array(sets.buffer)))
    },
  }
}

function limitValue(limit: number): bigint {
  return limit === Number.POSITIVE_INFINITY ? RLIM_INFINITY : BigInt(limit)
}
