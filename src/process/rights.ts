/** Changes of the engine process itself: its account, capabilities and priority (limits are in limits.ts, CPUs in affinity.ts). */
import fs from 'node:fs'
import os from 'node:os'
import { getSystemErrorName } from 'node:util'
import { errnoCode, errnoText } from '../lib/errno.ts'
import { processCalls } from '../sys/process-calls.ts'
import type { Identity } from './messages.ts'

/** The capability to use raw sockets, and addresses that are not this machine's. */
const CAP_NET_RAW = 13

/** Gives up root for good. Every thread of the process follows. Throws when the system refuses. */
export function becomeUser(identity: Identity): void {
  // These exist on every system that has users; the types allow for those that have none.
  ;(process as { initgroups?: (user: string, group: number) => void }).initgroups!(identity.user, identity.gid)
  process.setgid!(identity.gid)
  process.setuid!(identity.uid)
}

/**
 * The same, but this thread, and those that it starts from now on, keep CAP_NET_RAW, as nginx's workers do for `proxy_bind ...
 * transparent`. Returns nginx's error text when that is not possible; root is given up all the same.
 */
export function becomeUserWithNetRaw(identity: Identity): string | undefined {
  const system = processCalls()
  if (typeof system === 'string') {
    becomeUser(identity)
    return `prctl(PR_SET_KEEPCAPS, 1) failed (${system})`
  }
  const kept = system.keepCapabilities(true)
  becomeUser(identity)
  if (kept < 0) return `prctl(PR_SET_KEEPCAPS, 1) failed ${errnoText(getSystemErrorName(kept))}`
  const set = system.setCapabilities(1 << CAP_NET_RAW)
  return set < 0 ? `capset() failed ${errnoText(getSystemErrorName(set))}` : undefined
}

/**
 * Sets the scheduling priority of the process; returns nginx's error text when the system refuses. Linux has one for each
 * thread: those that run change theirs, and those to come have that of the thread that starts them.
 */
export function setPriority(priority: number): string | undefined {
  try {
    const threads = process.platform === 'linux' ? fs.readdirSync('/proc/self/task').map(Number) : []
    os.setPriority(0, priority)
    for (const thread of threads) setPriorityOf(thread, priority)
    return undefined
  } catch (error) {
    return `setpriority(${priority}) failed ${errnoText((error as { info?: unknown }).info ?? error)}`
  }
}

function setPriorityOf(thread: number, priority: number): void {
  try {
    os.setPriority(thread, priority)
  } catch (error) {
    // It has ended meanwhile.
    if (errnoCode((error as { info?: unknown }).info ?? error) !== 'ESRCH') throw error
  }
}
