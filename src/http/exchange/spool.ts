/**
 * What a back end sent and the client has not taken: in memory up to `proxy_buffers`, then in a temporary file up to
 * `proxy_max_temp_file_size`. Bytes leave in the order in which they came.
 *
 *   memory [ oldest ... ] then file [ read ........ written ] then (when the file is empty, or takes no more) memory again
 *
 * A disk that refuses is asked no more for this response, which goes on in memory: the back end waits for the client.
 */
import { TempFile, type TempPath, tempFileProblem } from '../files/temp-file.ts'

const READ_SIZE = 65536

export class Spool {
  #memory: Buffer[] = []
  #memoryBytes = 0
  #memoryMax: number
  /** 0: no file, or no more of it. */
  #fileMax: number
  readonly #folder: TempPath
  #file: TempFile | undefined
  #readAt = 0
  /** Came when the file took no more, and follows it. */
  #tail: Buffer[] = []
  #tailBytes = 0
  /** Called with the file's path when the first byte goes to disk. */
  onFile: (path: string) => void = () => {}

  constructor(memoryMax: number, fileMax: number, folder: TempPath) {
    this.#memoryMax = memoryMax
    this.#fileMax = fileMax
    this.#folder = folder
  }

  get empty(): boolean {
    return this.#memoryBytes === 0 && this.#fileBytes() === 0 && this.#tailBytes === 0
  }

  #fileBytes(): number {
    return this.#file === undefined ? 0 : this.#file.size - this.#readAt
  }

  /** True when nothing more fits: the back end has to wait. */
  get full(): boolean {
    if (this.#fileMax === 0) return this.#memoryBytes + this.#fileBytes() + this.#tailBytes >= this.#memoryMax
    if (this.#memoryBytes < this.#memoryMax && this.#fileBytes() === 0) return false
    return (this.#file?.size ?? 0) >= this.#fileMax
  }

  /** Keeps a copy of `bytes[start, end)`; returns what the disk refused, once, or an empty text. */
  push(bytes: Buffer, start: number, end: number): string {
    const toFile = this.#fileBytes() > 0 || this.#memoryBytes >= this.#memoryMax
    if (toFile && this.#fileMax > 0) return this.#write(bytes, start, end)
    if (this.#fileBytes() + this.#tailBytes > 0) this.#follow(bytes, start, end)
    else {
      this.#memory.push(Buffer.from(bytes.subarray(start, end)))
      this.#memoryBytes += end - start
    }
    return ''
  }

  #write(bytes: Buffer, start: number, end: number): string {
    const before = this.#file?.size ?? 0
    // tidy: the disk may refuse at any time, and Node tells it by an exception.
    try {
      if (this.#file === undefined) {
        this.#file = TempFile.create(this.#folder, false)
        this.onFile(this.#file.path)
      }
      this.#file.append(bytes, start, end)
      return ''
    } catch (error) {
      this.#fileMax = 0
      // Some of it may have been written.
      this.#follow(bytes, start + (this.#file?.size ?? 0) - before, end)
      return tempFileProblem(error, this.#file?.path ?? this.#folder.path)
    }
  }

  #follow(bytes: Buffer, start: number, end: number): void {
    this.#tail.push(Buffer.from(bytes.subarray(start, end)))
    this.#tailBytes += end - start
  }

  /** Takes the next piece out; undefined when empty. */
  shift(): Buffer | undefined {
    const piece = this.#memory.shift()
    if (piece !== undefined) {
      this.#memoryBytes -= piece.length
      return piece
    }
    if (this.#fileBytes() > 0) return this.#read(this.#file!)
    const last = this.#tail.shift()
    if (last !== undefined) this.#tailBytes -= last.length
    return last
  }

  #read(file: TempFile): Buffer {
    const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, this.#fileBytes()))
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
    this.#tail = []
    this.#tailBytes = 0
    this.#file?.close()
    this.#file = undefined
  }
}
