/** Small files that keep what the server knows over restarts: each is there whole, as it was or as it is now. */

import fs from 'node:fs'
import { threadId } from 'node:worker_threads'
import { bytesOf, toBinary } from './bytes.ts'
import { errnoText } from './errno.ts'
import { systemPath } from './file-status.ts'
import { decodeText } from './text.ts'

/** What a file has; `problem` says what the system refuses, a file that is not there is empty. */
export interface KeptText {
  readonly text: string
  readonly problem: string
}

/** Reads a file. */
export function readKept(path: string): KeptText {
  try {
    return { text: decodeText(fs.readFileSync(systemPath(path))), problem: '' }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return { text: '', problem: code === 'ENOENT' ? '' : openFailure(path, error) }
  }
}

/** Writes a file in place of the one before; returns what the system refuses, or nothing. */
export function writeKept(path: string, text: string): string {
  // Threads of one process must not write into each other's drafts.
  const draft = systemPath(`${path}.${process.pid}.${threadId}.tmp`)
  try {
    fs.writeFileSync(draft, bytesOf(toBinary(text)), { mode: 0o644 })
    fs.renameSync(draft, systemPath(path))
    return ''
  } catch (error) {
    return openFailure(path, error)
  }
}

function openFailure(path: string, error: unknown): string {
  const call = (error as NodeJS.ErrnoException).code === 'EISDIR' ? 'pread' : 'open'
  return `${call}() "${path}" failed ${errnoText(error)}`
}
