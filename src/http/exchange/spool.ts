/**
 * What a back end sent and the client has not taken: in memory up to `proxy_buffers`, then in a temporary file up to
 * `proxy_max_temp_file_size`. Bytes leave in the order in which they came.
 *
 *   memory [ oldest ... ] then file [ read ........ written ] then (only when the file is empty) memory again
 */

import { errnoText } from '../../lib/errno.ts'
import { TempFile, type TempPath } from '../files/temp-file.ts'

const READ_SIZE = 65536

export class Spool {
  #memory: Buffer[] = []
  #memoryBytes = 0
  #memoryMax: number
  #fileMax: number
  readonly #folder: TempPath
  #file: TempFile | undefined
  #readAt = 0
  /** Called with the file's path when the first byte goes to disk. */
  onFile: (path: string) => void = () => {}

  constructor(memoryMax: number, fileMax: number, folder: TempPath) {
    this.#memoryMax = memoryMax
    this.#fileMax = fileMax
    this.#folder = folder
  }

  get empty(): boolean {
    return this.#memoryBytes === 0 && this.#fileBytes === 0
  }

  get #fileBytes(): number {
    return this.#file === undefined ? 0 : this.#file.size - this.#readAt
  }

  /** True when nothing more fits: the back end has to wait. */
  get full(): boolean {
    if (this.#memoryBytes < this.#memoryMax && this.#fileBytes === 0) return false
    return this.#fileMax === 0 || (this.#file?.size ?? 0) >= this.#fileMax
  }

  /** Keeps a copy of `bytes[start, end)`; returns what the disk refused, or an empty text. */
  push(bytes: Buffer, start: number, end: number): string {
    if (this.#fileBytes === 0 && (this.#memoryBytes < this.#memoryMax || this.#fileMax === 0)) {
      this.#memory.push(Buffer.from(bytes.subarray(start, end)))
      this.#memoryBytes += end - start
      return ''
    }
    // tidy: the disk may refuse at any time, and Node tells it by an exception.
    try {
      if (this.#file === undefined) {
        this.#file = TempFile.create(this.#folder, false)
        this.onFile(this.#file.path)
      }
      this.#file.append(bytes, start, end)
      return ''
    } catch (error) {
      return `writing a temporary file in "${this.#folder.path}" failed ${errnoText(error)}`
    }
  }

  /** Takes the next piece out; undefined when empty. */
  shift(): Buffer | undefined {
    const piece = this.#memory.shift()
    if (piece !== undefined) {
      this.#memoryBytes -= piece.length
      return piece
    }
    const file = this.#file
    if (file === undefined || this.#fileBytes === 0) return undefined
    const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, this.#fileBytes))
    const count = file.read(buffer, this.#readAt)
    this.#readAt += count
    if (this.#readAt === file.size) {
      file.truncate()
      this.#readAt = 0
    }
    return buffer.subarray(0, count)
  }

  close(): void {
    this.#memory = []
    this.#memoryBytes = 0
    this.#file?.close()
    this.#file = undefined
  }
}
