/** Processes under measurement: started in a folder, pinned to a core, with the CPU time of all their descendants. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'

/** Ticks per second of the times in /proc; the same on every Linux. */
const TICKS_PER_SECOND = 100
const START_TIMEOUT_MS = 10_000
const POLL_MS = 10

/** Starts a program on one core. */
export function startPinned(core: number, command: readonly string[]): ChildProcess {
  return spawn('taskset', ['-c', String(core), ...command], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Seconds of CPU time that a process and its living descendants have used. */
export function cpuSeconds(root: number): number {
  let ticks = 0
  for (const [, fields] of tree(root)) ticks += Number(fields[11]) + Number(fields[12])
  return ticks / TICKS_PER_SECOND
}

/** A process and its living descendants. */
export function descendants(root: number): number[] {
  return [...tree(root).keys()]
}

function tree(root: number): Map<number, readonly string[]> {
  const all = new Map<number, readonly string[]>()
  for (const name of fs.readdirSync('/proc')) {
    const fields = Number.isInteger(Number(name)) ? statFields(Number(name)) : undefined
    if (fields !== undefined) all.set(Number(name), fields)
  }
  const parents = new Map([...all].map(([pid, fields]) => [pid, Number(fields[1])]))
  return new Map([...all].filter(([pid]) => descends(pid, root, parents)))
}

/** The fields behind the name, which may contain spaces and brackets; undefined when the process is gone. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

function descends(pid: number, root: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at)) if (at === root) return true
  return false
}

/** Resolves when something listens on a port; fails when the process ends first. */
export async function listening(port: number, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(' ')} ended with ${child.exitCode}`)
    if (performance.now() > deadline) throw new Error(`${child.spawnargs.join(' ')} does not listen`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Ends a process and resolves when it is gone. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}
