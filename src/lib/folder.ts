/** Reading folders for listings: the entries with what they are, links followed where they lead somewhere. */
import { Buffer } from 'node:buffer'
import { readdirSync } from 'node:fs'
import { errnoCode } from './errno.ts'
import { lstatPath, statPath, systemPath } from './file-status.ts'

/** One entry of a folder; `name` is a binary string. */
export interface FolderEntry {
  readonly name: string
  readonly kind: 'folder' | 'file' | 'other'
  readonly size: number
  /** Modification time in seconds. */
  readonly mtime: number
}

/** The names in a folder as binary strings, unless told otherwise without those that begin with a dot; or the errno's name. */
export function readFolder(path: string, dotfiles = false): string[] | string {
  try {
    const names = readdirSync(systemPath(path), { encoding: 'buffer' })
    const texts = names.map((name) => Buffer.from(name).toString('latin1'))
    return dotfiles ? texts : texts.filter((name) => !name.startsWith('.'))
  } catch (error) {
    const code = errnoCode(error)
    return code === '' || code.startsWith('ERR_') ? 'ENOENT' : code
  }
}

/** What the entry `name` of a folder is; or the errno's name. A link that leads nowhere is described itself. */
export function folderEntry(folder: string, name: string): FolderEntry | string {
  const path = `${folder}/${name}`
  let stats = statPath(path)
  if (stats === 'ENOENT' || stats === 'ELOOP') stats = lstatPath(path)
  if (typeof stats === 'string') return stats
  const kind = stats.isDirectory() ? 'folder' : stats.isFile() ? 'file' : 'other'
  return { name, kind, size: stats.size, mtime: Math.floor(stats.mtimeMs / 1000) }
}
