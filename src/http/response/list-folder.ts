/** What modules that list folders have in common: finding the folder, its entries, and what goes wrong in nginx's words. */
import { errnoText } from '../../lib/errno.ts'
import { type FolderEntry, folderEntry } from '../../lib/folder.ts'
import { CRIT, ERROR } from '../../log/error-log.ts'
import type { Request } from '../request/request.ts'
import { filePath } from './file-path.ts'

/** The folder that a URI with a slash at its end stands for. */
export function folderPath(r: Request): string {
  const path = filePath(r)
  return path.length > 1 ? path.slice(0, -1) : path
}

/** Logs why a folder cannot be read, and gives the status to answer with. */
export function folderFailure(r: Request, folder: string, error: string): number {
  const missing = error === 'ENOENT' || error === 'ENOTDIR' || error === 'ENAMETOOLONG'
  r.logError(missing || error === 'EACCES' ? ERROR : CRIT, `opendir() "${folder}" failed ${errnoText(error)}`)
  return missing ? 404 : error === 'EACCES' ? 403 : 500
}

/** The entries of these names, in their order; undefined when something is wrong with the folder, which is logged. */
export function folderEntries(r: Request, folder: string, names: readonly string[]): FolderEntry[] | undefined {
  const entries: FolderEntry[] = []
  for (const name of names) {
    const entry = folderEntry(folder, name)
    if (typeof entry !== 'string') entries.push(entry)
    else if (entry !== 'ENOENT') {
      r.logError(CRIT, `stat() "${folder}/${name}" failed ${errnoText(entry)}`)
      if (entry !== 'EACCES') return undefined
    }
  }
  return entries
}
