/** Changes of the engine process itself: its account, folder, priority and limits. */
import { spawnSync } from 'node:child_process'
import os from 'node:os'
import { errnoText } from '../lib/errno.ts'
import type { Identity } from './messages.ts'

/** Gives up root for good. Every thread of the process follows. Throws when the system refuses. */
export function becomeUser(identity: Identity): void {
  // These exist on every system that has users; the types allow for those that have none.
  ;(process as { initgroups?: (user: string, group: number) => void }).initgroups!(identity.user, identity.gid)
  process.setgid!(identity.gid)
  process.setuid!(identity.uid)
}

/** Sets the scheduling priority; returns nginx's error text when the system refuses. */
export function setPriority(priority: number): string | undefined {
  try {
    os.setPriority(0, priority)
    return undefined
  } catch (error) {
    return `setpriority(${priority}) failed ${errnoText((error as { info?: unknown }).info ?? error)}`
  }
}

/** Sets a resource limit of a running process, or returns nginx's error text: Node cannot, the system's tool can. */
export function setLimit(pid: number, limit: 'nofile' | 'core', value: number): string | undefined {
  const { error, status } = spawnSync('prlimit', ['--pid', `${pid}`, `--${limit}=${value}:${value}`])
  if (error === undefined && status === 0) return undefined
  const why = error === undefined ? errnoText('EPERM') : '("prlimit" is not installed)'
  return `setrlimit(RLIMIT_${limit.toUpperCase()}, ${value}) failed ${why}`
}

/** Binds all threads of a process to CPUs (bit n of the mask = CPU n), or returns what went wrong. */
export function setAffinity(pid: number, mask: bigint): string | undefined {
  const { error, status } = spawnSync('taskset', ['-a', '-p', mask.toString(16), `${pid}`])
  if (error === undefined && status === 0) return undefined
  return `sched_setaffinity() failed ${error === undefined ? errnoText('EINVAL') : '("taskset" is not installed)'}`
}
