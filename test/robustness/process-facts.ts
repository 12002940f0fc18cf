/** What a server's processes hold, read from /proc: memory and open descriptors, of the master and all below it. */
import fs from 'node:fs'

/** Resident memory in bytes. */
export function residentBytes(root: number): number {
  return sum(
    root,
    (pid) => Number(/^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024,
  )
}

/** Open descriptors. */
export function descriptors(root: number): number {
  return sum(root, (pid) => fs.readdirSync(`/proc/${pid}/fd`).length)
}

/** What the descriptors are, counted by kind, for a message. */
export function descriptorKinds(root: number): string {
  const counts = new Map<string, number>()
  for (const pid of processesOf(root)) {
    for (const fd of unlessGone(() => fs.readdirSync(`/proc/${pid}/fd`), [])) {
      const kind = linkOf(`/proc/${pid}/fd/${fd}`).replace(/\[\d+\]$/, '')
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
    }
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
}

/** A process may end after it was listed: then it has nothing any more. */
export function unlessGone<T>(read: () => T, nothing: T): T {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return nothing
    throw error
  }
}

function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path)
  } catch {
    return 'gone'
  }
}

function sum(root: number, measure: (pid: number) => number): number {
  let total = 0
  for (const pid of processesOf(root)) total += unlessGone(() => measure(pid), 0)
  return total
}

/** A process and its descendants. */
function processesOf(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = parentOf(name)
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found = [root]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

function parentOf(pid: string): number {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return -1
  }
}
