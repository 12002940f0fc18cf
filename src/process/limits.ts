/**
 * Limits on resources of the engine: `worker_rlimit_nofile` and `worker_rlimit_core`. An engine lives on over reloads and by
 * then has given up root, without which a hard limit is never raised again; and its master may not touch a process of another
 * account without CAP_SYS_RESOURCE, which containers seldom have. So the engine sets its soft limits alone, as often as the
 * configuration says something else. Unlike in nginx the hard limit stays where it was, unless it has to be raised: that the
 * master does, if anybody can.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { getSystemErrorName } from 'node:util'
import { errnoText } from '../lib/errno.ts'
import { processCalls } from '../sys/process-calls.ts'

/** Soft limits in files and bytes; Infinity: there is none, undefined: not known. */
export interface Limits {
  readonly nofile: number | undefined
  readonly core: number | undefined
}

interface Limit {
  readonly soft: number
  readonly hard: number
}

const NAMES = ['nofile', 'core'] as const
const KERNEL: Readonly<Record<keyof Limits, { resource: number; title: string }>> = {
  core: { resource: 4, title: 'Max core file size' },
  nofile: { resource: 7, title: 'Max open files' },
}

/** The limits that this process has. */
export function ownLimits(): Limits {
  return { nofile: limitOf('self', 'nofile')?.soft, core: limitOf('self', 'core')?.soft }
}

/** Raises hard limits of another process that are below these; returns nginx's texts of what failed. */
export function makeRoomForLimits(pid: number, limits: Limits): string[] {
  return setEach(limits, (name, value) => {
    const before = limitOf(pid, name)
    if (before !== undefined && before.hard >= value) return undefined
    return setLimit(pid, name, { soft: value, hard: value })
  })
}

/** Sets the limits of this process, as far as its hard limits allow; returns nginx's texts of what failed. */
export function setOwnLimits(limits: Limits): string[] {
  return setEach(limits, (name, value) => {
    const before = limitOf('self', name)
    // Whose hard limit could not be raised has been told.
    if (before === undefined || before.soft === value || before.hard < value) return undefined
    return setLimit(process.pid, name, { soft: value, hard: before.hard })
  })
}

function setEach(limits: Limits, set: (name: keyof Limits, value: number) => string | undefined): string[] {
  const failures = NAMES.map((name) => {
    const value = limits[name]
    return value === undefined ? undefined : set(name, value)
  })
  return failures.filter((failure) => failure !== undefined)
}

/** Node has no call for it; the C library has where it can be called, else there is the system's tool. */
function setLimit(pid: number, name: keyof Limits, { soft, hard }: Limit): string | undefined {
  const failed = `setrlimit(RLIMIT_${name.toUpperCase()}, ${soft}) failed`
  const system = processCalls()
  if (typeof system !== 'string') {
    const result = system.setLimit(pid, KERNEL[name].resource, soft, hard)
    return result === 0 ? undefined : `${failed} ${errnoText(getSystemErrorName(result))}`
  }
  const { error, status } = spawnSync('prlimit', ['--pid', `${pid}`, `--${name}=${word(soft)}:${word(hard)}`])
  if (error === undefined && status === 0) return undefined
  return `${failed} ${error === undefined ? errnoText('EPERM') : '("prlimit" is not installed)'}`
}

function word(value: number): string {
  return value === Number.POSITIVE_INFINITY ? 'unlimited' : String(value)
}

function limitOf(pid: number | 'self', name: keyof Limits): Limit | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/limits`, 'latin1')
    const [, soft, hard] = new RegExp(`^${KERNEL[name].title} +(\\w+) +(\\w+) `, 'm').exec(text) ?? []
    return soft === undefined || hard === undefined ? undefined : { soft: numberOf(soft), hard: numberOf(hard) }
  } catch {
    return undefined
  }
}

function numberOf(given: string): number {
  return given === 'unlimited' ? Number.POSITIVE_INFINITY : Number(given)
}
