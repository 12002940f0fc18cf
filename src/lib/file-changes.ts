/**
 * File-system calls that change something and return at once: they answer with an empty string or with the errno's name,
 * never with an exception. Paths are binary strings, as in file-status.ts.
 */
import { chmodSync, mkdirSync, renameSync, unlinkSync, utimesSync } from 'node:fs'
import { errnoCode } from './errno.ts'
import { systemPath } from './file-status.ts'

/** What the system refused: the call as nginx names it (`rename()`), the path, the errno's name. */
export interface Refusal {
  readonly call: string
  readonly path: string
  readonly error: string
}

/** Moves within one file system, over what is there. */
export function renamePath(from: string, to: string): string {
  try {
    renameSync(systemPath(from), systemPath(to))
    return ''
  } catch (error) {
    return refusalCode(error)
  }
}

/** Removes a name that is no folder's. */
export function removeFile(path: string): string {
  try {
    unlinkSync(systemPath(path))
    return ''
  } catch (error) {
    return refusalCode(error)
  }
}

/** Makes a folder; the process's mask takes rights away. */
export function makeFolder(path: string, mode: number): string {
  try {
    mkdirSync(systemPath(path), mode)
    return ''
  } catch (error) {
    return refusalCode(error)
  }
}

/** Makes all folders above a path; where one may not be made, it may be there already (ngx_create_full_path). */
export function makeFoldersAbove(path: string, mode: number): string {
  let refused = ''
  for (let slash = path.indexOf('/', 1); slash > 0; slash = path.indexOf('/', slash + 1)) {
    refused = makeFolder(path.slice(0, slash), mode)
    if (refused === 'EEXIST') refused = ''
    else if (refused !== '' && refused !== 'EACCES') return refused
  }
  return refused
}

/** Sets the rights. */
export function changeMode(path: string, mode: number): string {
  try {
    chmodSync(systemPath(path), mode)
    return ''
  } catch (error) {
    return refusalCode(error)
  }
}

/** Sets the time of the last change, in seconds. */
export function setTime(path: string, seconds: number): string {
  try {
    utimesSync(systemPath(path), seconds, seconds)
    return ''
  } catch (error) {
    return refusalCode(error)
  }
}

/** The errno's name of an exception of node:fs; a path that Node itself refuses (it holds a NUL) names no file. */
export function refusalCode(error: unknown): string {
  const code = errnoCode(error)
  return code === '' || code.startsWith('ERR_') ? 'ENOENT' : code
}
