/** What a path names, for conditions: without exceptions, since the callers serve requests. */
import { type Stats, statSync } from 'node:fs'
import { errnoCode } from './errno.ts'

/** What `fileKind` found; links are followed. `failure` is a symbolic code when the file exists or cannot be asked for. */
export interface FileKind {
  readonly file: boolean
  readonly directory: boolean
  /** The owner may execute it. */
  readonly executable: boolean
  readonly failure: string
}

const OWNER_EXECUTES = 0o100
/** Codes that only say that there is no such file. */
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'])

/** Looks at the file whose name is a binary string. */
export function fileKind(path: string): FileKind {
  let stats: Stats | undefined
  try {
    stats = statSync(Buffer.from(path, 'latin1'), { throwIfNoEntry: false })
  } catch (error) {
    const code = errnoCode(error)
    return { file: false, directory: false, executable: false, failure: MISSING.has(code) ? '' : code }
  }
  return {
    file: stats?.isFile() === true,
    directory: stats?.isDirectory() === true,
    executable: stats !== undefined && (stats.mode & OWNER_EXECUTES) !== 0,
    failure: '',
  }
}
