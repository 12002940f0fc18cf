/**
 * `worker_cpu_affinity`: workers are threads, and each has the CPUs of its mask where the C library can be called. The other
 * threads of their process, and workers where it cannot, have all that the masks name.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { getSystemErrorName } from 'node:util'
import { errnoText } from '../lib/errno.ts'
import type { Affinity } from '../modules/core/main.ts'
import { processCalls } from '../sys/process-calls.ts'

const FAILED = 'sched_setaffinity() failed'

/** The CPUs of one worker: bit n of the mask stands for CPU n; 0: no CPU. `allowed` are those that the process may have. */
export function workerCpus({ auto, masks }: Affinity, worker: number, allowed: bigint): bigint {
  if (!auto) return masks[Math.min(worker, masks.length - 1)]!
  const cpus = cpusIn(masks[0] ?? allowed)
  return cpus.length === 0 ? 0n : 1n << BigInt(cpus[worker % cpus.length]!)
}

/** The numbers of the CPUs of a mask. */
export function cpusIn(mask: bigint): number[] {
  const cpus: number[] = []
  for (let n = 0; mask >> BigInt(n) > 0n; n++) if ((mask >> BigInt(n)) & 1n) cpus.push(n)
  return cpus
}

/** The CPUs that this process may have, which its main thread says; 0 when it is not known. */
export function allowedCpus(): bigint {
  try {
    const [, mask = '0'] = /^Cpus_allowed:\s*([0-9a-f,]+)$/m.exec(fs.readFileSync('/proc/self/status', 'latin1')) ?? []
    return BigInt(`0x${mask.replaceAll(',', '')}`)
  } catch {
    return 0n
  }
}

/** Binds this thread, or returns nginx's error text; undefined also where it cannot be bound by itself. */
export function bindThread(cpus: bigint): string | undefined {
  const system = processCalls()
  if (typeof system === 'string') return undefined
  const result = system.setAffinity(0, bytesOf(cpus))
  return result < 0 ? `${FAILED} ${errnoText(getSystemErrorName(result))}` : undefined
}

/** Binds all threads of a process, or returns what went wrong. */
export function bindProcess(pid: number, cpus: bigint): string | undefined {
  const system = processCalls()
  if (typeof system !== 'string') {
    const mask = bytesOf(cpus)
    const result = threadsOf(pid).reduce((worst, thread) => Math.min(worst, system.setAffinity(thread, mask)), 0)
    return result < 0 ? `${FAILED} ${errnoText(getSystemErrorName(result))}` : undefined
  }
  const { error, status } = spawnSync('taskset', ['-a', '-p', cpus.toString(16), `${pid}`])
  if (error === undefined && status === 0) return undefined
  return `${FAILED} ${error === undefined ? errnoText('EINVAL') : '("taskset" is not installed)'}`
}

/** As the kernel reads it: in words of 64 bits, the lowest first. */
function bytesOf(mask: bigint): Uint8Array {
  const words: bigint[] = []
  for (let rest = mask; rest > 0n || words.length === 0; rest >>= 64n) words.push(BigInt.asUintN(64, rest))
  return new Uint8Array(BigUint64Array.from(words).buffer)
}

function threadsOf(pid: number): number[] {
  try {
    return fs.readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}
