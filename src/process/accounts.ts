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
  const fields = lookUp('passwd', name)
  return fields === undefined ? undefined : { uid: Number(fields[2]), gid: Number(fields[3]) }
}

/** Returns a group's id, or undefined when there is no such group. */
export function findGroup(name: string): number | undefined {
  const fields = lookUp('group', name)
  return fields === undefined ? undefined : Number(fields[2])
}

function lookUp(database: 'passwd' | 'group', name: string): string[] | undefined {
  return find(readFile(`/etc/${database}`), name) ?? find(getent(database, name), name)
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
