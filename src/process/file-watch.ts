/**
 * Looks whether files were replaced: certificates and keys are renewed by programs that do not know of us. Files are
 * looked at in turn, by their inode and time of change, as nginx tells old from new; a change counts when the files have
 * been left alone for a round, because a certificate and its key are written one after the other.
 */

import fs from 'node:fs'
import { clearInterval, setInterval } from 'node:timers'
import { clock } from '../lib/clock.ts'
import { systemPath } from '../lib/file-status.ts'

const ROUND_MS = 500
/** So many are looked at in one go. */
const FILES_PER_ROUND = 500
const MISSING = ''

/** Hears that files are other ones now. */
type OnChange = () => void

/** What tells one content of a file from another, to the second as in nginx; empty when there is no such file. */
export function fileMark(path: string): string {
  try {
    const { ino, mtimeMs } = fs.statSync(systemPath(path))
    return `${ino} ${Math.floor(mtimeMs / 1000)}`
  } catch {
    return MISSING
  }
}

/** Watches until `close`. */
export class FileWatch {
  readonly #onChange: OnChange
  #marks = new Map<string, string>()
  #changed = false
  #quiet = false
  #queue: string[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(onChange: OnChange) {
    this.#onChange = onChange
  }

  /** Watches exactly these files from now on; `marks` are those of the contents in use. */
  set(marks: ReadonlyMap<string, string>): void {
    this.#marks = new Map(marks)
    this.#changed = false
    this.#queue = []
    if (marks.size === 0) this.close()
    else this.#timer ??= setInterval(() => this.#round(), ROUND_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #round(): void {
    if (this.#queue.length === 0) {
      this.#tell()
      this.#queue = [...this.#marks.keys()]
      this.#quiet = true
    }
    for (const path of this.#queue.splice(0, FILES_PER_ROUND)) {
      const mark = fileMark(path)
      // One that is gone is about to be written anew.
      if (mark === MISSING || mark === this.#marks.get(path)) continue
      this.#marks.set(path, mark)
      this.#changed = true
      this.#quiet = false
    }
  }

  #tell(): void {
    if (!this.#quiet || !this.#changed) return
    this.#changed = false
    clock.update()
    this.#onChange()
  }
}
