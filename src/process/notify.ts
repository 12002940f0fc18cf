/**
 * What a service manager is told (sd_notify(3)): that the server is ready, reloads, or stops. Node has no datagram sockets
 * with names, so the manager's own tool carries the message; where no manager listens, nothing is done.
 */
import { spawn } from 'node:child_process'

const TOOL = 'systemd-notify'
const socket = process.env['NOTIFY_SOCKET']

/** Tells the manager; `failed` hears why that was not possible. */
export function notifyManager(words: readonly string[], failed: (why: string) => void): void {
  if (socket === undefined || socket === '') return
  const child = spawn(TOOL, [`--pid=${process.pid}`, ...words], { stdio: 'ignore' })
  child.on('error', () =>
    failed(`"${TOOL}" is not installed, so the service manager is not told that the server is ready`),
  )
  child.unref()
}

/** The server serves, with the latest configuration. */
export const READY: readonly string[] = ['--ready', '--status=serving']
/** A reload has begun; READY follows. */
export const RELOADING: readonly string[] = ['RELOADING=1', '--status=reloading']
/** The server finishes what is under way. */
export const STOPPING: readonly string[] = ['STOPPING=1', '--status=stopping']
