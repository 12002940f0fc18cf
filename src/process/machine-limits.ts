/**
 * What the machine will not give although the configuration counts on it, one line each: descriptors, the queue of
 * connections that wait to be accepted, local ports for back ends.
 */
import fs from 'node:fs'

/** What Linux gives without being asked: less is somebody's decision, more is somebody's care. */
const PORTS_USUAL = 28_232

/** What a configuration wants. */
export interface Wanted {
  /** `worker_connections`. */
  readonly connections: number
  /** Descriptors for each worker: `worker_rlimit_nofile`, or as many as this process has. */
  readonly nofile: number | undefined
  /** All workers are threads of one process, which has one limit. */
  readonly workers: number
  /** The longest queue that a `listen` asks for. */
  readonly backlog: number
}

/** The limits of this machine; undefined: not known. */
export interface Limits {
  readonly nofile: number | undefined
  readonly somaxconn: number | undefined
  /** How many local ports there are for connections to one back end. */
  readonly ports: number | undefined
}

/** Reads the limits. */
export function machineLimits(): Limits {
  const range = read('/proc/sys/net/ipv4/ip_local_port_range')?.trim().split(/\s+/).map(Number)
  const nofile = /^Max open files\s+(\d+)/m.exec(read('/proc/self/limits') ?? '')?.[1]
  return {
    nofile: nofile === undefined ? undefined : Number(nofile),
    somaxconn: numberIn('/proc/sys/net/core/somaxconn'),
    ports: range?.length === 2 ? range[1]! - range[0]! + 1 : undefined,
  }
}

/** Says what will be missing. */
export function shortcomings(wanted: Wanted, limits: Limits): string[] {
  const lines: string[] = []
  const nofile = wanted.nofile ?? limits.nofile
  const connections = wanted.connections * wanted.workers
  if (nofile !== undefined && nofile < connections) {
    const fix = `set worker_rlimit_nofile or raise the limit (ulimit -n, LimitNOFILE=)`
    lines.push(`${connections} worker_connections exceed open file resource limit: ${nofile}; ${fix}`)
  }
  if (limits.somaxconn !== undefined && limits.somaxconn < wanted.backlog) {
    const fix = `raise it with sysctl -w net.core.somaxconn=${wanted.backlog}`
    lines.push(`backlog=${wanted.backlog} is cut to net.core.somaxconn: ${limits.somaxconn}; ${fix}`)
  }
  if (limits.ports !== undefined && limits.ports < Math.min(connections, PORTS_USUAL)) {
    const fix = 'widen net.ipv4.ip_local_port_range or keep connections open (keepalive)'
    lines.push(`${connections} worker_connections exceed the ${limits.ports} local ports for one back end; ${fix}`)
  }
  return lines
}

function read(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

function numberIn(path: string): number | undefined {
  const text = read(path)
  return text === undefined ? undefined : Number(text)
}
