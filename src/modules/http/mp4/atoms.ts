/**
 * The boxes of an MP4 file (nginx calls them atoms): reading their heads, and writing them anew.
 *
 *     size (4 bytes), name (4 bytes), [size of 8 bytes when the first is 1], data: often other atoms
 */
import { readOpen } from '../../../lib/file-status.ts'

/** Size and name. */
export const HEAD_SIZE = 8
const LARGE_HEAD_SIZE = 16

/** An atom where it lies: in a file or in the memory of one of its parents. */
export interface Atom {
  readonly name: string
  /** Where its data begins and ends. */
  readonly start: number
  readonly end: number
}

/** What is wrong with a file, in nginx's words: `%s` is its path. */
export class Mp4Problem {
  readonly message: string
  readonly path: string

  constructor(message: string, path: string) {
    this.message = message.replace('%s', `"${path}"`)
    this.path = path
  }
}

/** An open file whose atoms are read. */
export interface Mp4Source {
  readonly fd: number
  readonly size: number
  readonly path: string
  /** The whole file, where it is in memory. */
  readonly content: Buffer | undefined
}

const head = Buffer.alloc(LARGE_HEAD_SIZE)

/** Reads the head of the atom at `at`, whose parent ends at `end`; undefined: the rest is nothing. */
export function atomInFile(source: Mp4Source, at: number, end: number): Atom | undefined | Mp4Problem {
  const size = Math.min(LARGE_HEAD_SIZE, source.size - at)
  if (!readInto(source, head, size, at)) return new Mp4Problem('%s mp4 file truncated', source.path)
  return atomAt(head.subarray(0, size), at, at, end, source.path)
}

/** The same in memory; its head is read also where it goes on behind `end`, as nginx does. */
export function atomInMemory(bytes: Buffer, at: number, end: number, path: string): Atom | undefined | Mp4Problem {
  return atomAt(bytes, 0, at, end, path)
}

/** `bytes` begin at `base`. */
function atomAt(bytes: Buffer, base: number, at: number, end: number, path: string): Atom | undefined | Mp4Problem {
  const from = at - base
  const left = bytes.length - from
  if (left < 4) return new Mp4Problem('%s mp4 file truncated', path)
  let size = bytes.readUInt32BE(from)
  let headSize = HEAD_SIZE
  if (size === 0) return undefined
  if (size === 1) {
    if (left < LARGE_HEAD_SIZE) return new Mp4Problem('%s mp4 file truncated', path)
    size = large(bytes, from + HEAD_SIZE)
    headSize = LARGE_HEAD_SIZE
  }
  if (size < headSize) return new Mp4Problem(`%s mp4 atom is too small:${size}`, path)
  if (left < HEAD_SIZE) return new Mp4Problem('%s mp4 file truncated', path)
  if (at + size > end) {
    const exact = headSize === HEAD_SIZE ? size : bytes.readBigUInt64BE(from + HEAD_SIZE)
    return new Mp4Problem(`%s mp4 atom too large:${exact}`, path)
  }
  const name = bytes.latin1Slice(from + 4, from + HEAD_SIZE)
  return { name, start: at + headSize, end: at + size }
}

/** Reads `size` bytes of the file at `at`; false when they are not there. */
export function readInto({ fd, content }: Mp4Source, into: Buffer, size: number, at: number): boolean {
  if (content !== undefined) return content.copy(into, 0, at, at + size) === size
  for (let done = 0; done < size; ) {
    const count = readOpen(fd, done === 0 ? into : into.subarray(done), size - done, at + done)
    if (typeof count === 'string' || count === 0) return false
    done += count
  }
  return true
}

/** A number of 8 bytes; what is too large to be exact is too large for any file. */
export function large(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
}

/** Writes a number of 8 bytes. */
export function setLarge(bytes: Buffer, value: number, at: number): void {
  // All ones is how an unknown duration is written, too.
  const isTooLarge = value >= 2 ** 64
  bytes.writeUInt32BE(isTooLarge ? 0xffffffff : Math.floor(value / 2 ** 32), at)
  bytes.writeUInt32BE(isTooLarge ? 0xffffffff : value % 2 ** 32, at + 4)
}

/** The head of an atom whose data has so many bytes. */
export function atomHead(name: string, dataSize: number): Buffer {
  const isLarge = dataSize > 0xffffffff - HEAD_SIZE
  const bytes = Buffer.alloc(isLarge ? LARGE_HEAD_SIZE : HEAD_SIZE)
  bytes.writeUInt32BE(isLarge ? 1 : HEAD_SIZE + dataSize, 0)
  bytes.latin1Write(name, 4)
  if (isLarge) setLarge(bytes, LARGE_HEAD_SIZE + dataSize, HEAD_SIZE)
  return bytes
}

/** A whole atom made of pieces. */
export function atomOf(name: string, pieces: readonly Buffer[]): Buffer {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return Buffer.concat([atomHead(name, size), ...pieces])
}
