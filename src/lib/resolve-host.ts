/**
 * Host names of the configuration, looked up once while it loads. Node resolves names only asynchronously, so names that
 * are neither numeric nor in /etc/hosts are asked of the system's own resolver by its tool.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parseIp } from './ip.ts'

const LOOKUP_TIMEOUT_MS = 10_000
const HOSTS_FILE = '/etc/hosts'
const known = new Map<string, readonly string[]>()
let presumed: readonly string[] | undefined

/** The addresses of a name, IPv4 first, without duplicates; empty when it does not resolve. Remembered until `forgetHosts`. */
export function resolveHost(name: string): readonly string[] {
  if (parseIp(name) !== undefined) return [name]
  const before = known.get(name)
  if (before !== undefined) return before
  const found = fromHostsFile(name)
  const addresses = found.length > 0 ? found : (presumed ?? fromSystem(name))
  if (addresses.length > 0) known.set(name, addresses)
  return addresses
}

/** From now on, nobody is asked: every name that is not known has this address. For tools that only read a configuration. */
export function presumeHosts(address: string): void {
  presumed = [address]
}

/** Forgets what was looked up: a reload asks anew. Or, instead, takes over what another thread has found out. */
export function forgetHosts(found: ReadonlyMap<string, readonly string[]> = new Map()): void {
  known.clear()
  for (const [name, addresses] of found) known.set(name, addresses)
}

/** What was looked up. */
export function knownHosts(): ReadonlyMap<string, readonly string[]> {
  return new Map(known)
}

function fromHostsFile(name: string): string[] {
  let text: string
  try {
    text = readFileSync(HOSTS_FILE, 'utf8')
  } catch {
    return name === 'localhost' ? ['127.0.0.1'] : []
  }
  const wanted = name.toLowerCase()
  const found = new Set<string>()
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (address !== undefined && names.some((n) => n.toLowerCase() === wanted) && parseIp(address)) found.add(address)
  }
  return sorted(found)
}

function fromSystem(name: string): string[] {
  if (!/^[\w.-]+$/.test(name) || name.startsWith('-')) return []
  const { status, stdout } = spawnSync('getent', ['ahosts', name], { encoding: 'utf8', timeout: LOOKUP_TIMEOUT_MS })
  if (status !== 0) return []
  return sorted(
    new Set(
      stdout
        .split('\n')
        .flatMap((line) => line.split(/\s+/, 1))
        .filter((a) => parseIp(a) !== undefined),
    ),
  )
}

function sorted(addresses: ReadonlySet<string>): string[] {
  const list = [...addresses]
  return [...list.filter((a) => !a.includes(':')), ...list.filter((a) => a.includes(':'))]
}
