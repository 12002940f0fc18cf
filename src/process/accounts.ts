/** Users and groups by name, as getpwnam and getgrnam find them: the files first, then the system's other sources. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'

/** The ids of a user. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Returns a user's ids, or undefined when there is no such user. */
export function findUser(name: string): Account | undefined {
  const fields = find(readFile('/etc/passwd'), name) ?? find(getent('passwd', name), name)
  return fields === undefined ? undefined : { uid: Number(fields[2]), gid: Number(fields[3]) }
}

/** Returns the id of the first of these groups that exists, or undefined when none does. */
export function findGroup(names: readonly string[]): number | undefined {
  const local = readFile('/etc/group')
  for (const name of names) {
    const fields = find(local, name)
    if (fields !== undefined) return Number(fields[2])
  }
  for (const name of names) {
    const fields = find(getent('group', name), name)
    if (fields !== undefined) return Number(fields[2])
  }
  return undefined
}

function find(text: string, name: string): string[] | undefined {
  for (const line of text.split('\n')) {
    if (line.startsWith(name + ':')) return line.split(':')
  }
  return undefined
}

function readFile(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function getent(database: string, name: string): string {
  return spawnSync('getent', [database, name], { encoding: 'utf8' }).stdout ?? ''
}
