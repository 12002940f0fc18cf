/** The file that says which process is the master. Its texts are nginx's: init scripts and people search for them. */

import fs from 'node:fs'
import { errnoCode, errnoText } from '../lib/errno.ts'
import { systemPath } from '../lib/file-status.ts'

/** What is appended to the name while a newer binary takes over. */
export const OLD_PID_SUFFIX = '.oldbin'

/** Said, not left to the mask: nginx has none, and who takes over from it inherits that. */
const FILE_MODE = 0o644

/** Writes this process's id; returns nginx's error text when it cannot. */
export function writePidFile(path: string): string | undefined {
  try {
    fs.writeFileSync(systemPath(path), `${process.pid}\n`, { mode: FILE_MODE })
    return undefined
  } catch (error) {
    return `open() "${path}" failed ${errnoText(error)}`
  }
}

/** Makes sure that the file could be written, without writing a process id: what `-t` does. */
export function touchPidFile(path: string): string | undefined {
  try {
    fs.closeSync(fs.openSync(systemPath(path), 'a', FILE_MODE))
    return undefined
  } catch (error) {
    return `open() "${path}" failed ${errnoText(error)}`
  }
}

/** Returns the process id in the file, or nginx's error text. */
export function readPidFile(path: string): number | string {
  let text: string
  try {
    text = fs.readFileSync(systemPath(path), 'latin1')
  } catch (error) {
    return `open() "${path}" failed ${errnoText(error)}`
  }
  const digits = text.replace(/[\r\n]+$/, '')
  return /^[0-9]+$/.test(digits) ? Number(digits) : `invalid PID number "${digits}" in "${path}"`
}

/** What to say of another server that runs from this pid file; undefined when none does. */
export function runningServer(path: string): string | undefined {
  const pid = readPidFile(path)
  if (typeof pid === 'string' || pid === process.pid || !isAlive(pid)) return undefined
  return `a server is already running with process id ${pid} (${path}): "-s reload" makes it take over the configuration, "-s quit" ends it`
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoCode(error) === 'EPERM'
  }
}

/** Removes the file; returns nginx's error text when it cannot. */
export function removePidFile(path: string): string | undefined {
  try {
    fs.unlinkSync(systemPath(path))
    return undefined
  } catch (error) {
    return `unlink() "${path}" failed ${errnoText(error)}`
  }
}

/** Gives the file another name; returns the errno text when it cannot. */
export function renamePidFile(from: string, to: string): string | undefined {
  try {
    fs.renameSync(systemPath(from), systemPath(to))
    return undefined
  } catch (error) {
    return errnoText(error)
  }
}
