/** Folders and files that belong to the account of the workers: temporary folders, and logs that workers open again. */

import fs from 'node:fs'
import { errnoText } from '../lib/errno.ts'
import { systemPath } from '../lib/file-status.ts'
import type { Identity } from './messages.ts'

const FOLDER_MODE = 0o700

/** Creates the folders and gives them to the account; returns nginx's error text for the first that fails. */
export function createFolders(paths: readonly string[], owner: Identity | undefined): string | undefined {
  for (const path of paths) {
    try {
      fs.mkdirSync(systemPath(path), { mode: FOLDER_MODE })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return `mkdir() "${path}" failed ${errnoText(error)}`
    }
    const problem = owner === undefined ? undefined : giveTo(path, owner)
    if (problem !== undefined) return problem
  }
  return undefined
}

/**
 * Makes `logs` in the prefix when one of the paths is in it: installing nginx does that, and nothing is installed here.
 * What goes wrong is told by whoever opens the file.
 */
export function makeLogFolder(prefix: string, paths: readonly string[]): void {
  const folder = `${prefix}logs`
  if (!paths.some((path) => path.startsWith(`${folder}/`))) return
  try {
    fs.mkdirSync(systemPath(folder), { mode: 0o755 })
  } catch {
    // It is there, or it cannot be made.
  }
}

/** Makes sure that the account can open these existing log files for writing, as nginx does when logs are reopened. */
export function giveLogs(paths: readonly string[], owner: Identity): string[] {
  return paths.flatMap((path) => giveTo(path, owner) ?? [])
}

function giveTo(path: string, owner: Identity): string | undefined {
  try {
    const name = systemPath(path)
    const found = fs.statSync(name)
    if (found.uid !== owner.uid && !found.isCharacterDevice()) fs.chownSync(name, owner.uid, -1)
    return undefined
  } catch (error) {
    return `chown("${path}", ${owner.uid}) failed ${errnoText(error)}`
  }
}
