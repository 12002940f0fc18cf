/** What the system calls this thread. */
import { readlinkSync } from 'node:fs'
import { threadId } from 'node:worker_threads'

/** The kernel's number of this thread, which log lines carry; Node's own stands in where there is no /proc. */
export function systemThreadId(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return process.pid + threadId
  }
}
