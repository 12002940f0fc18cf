/** Opens a file of the cache and makes an object of it, checked: a small one is read whole, of others the head. */
import { closeOpen, openPath, readOpen, statOpen } from '../../lib/file-status.ts'
import { noteShortage } from '../../net/descriptors.ts'
import { CONTENT_SIZE_MAX, FileEntry } from '../files/file-entry.ts'
import { type CacheKey, decodeHeader, type FileHeader, type FileProblem, keyTextOf } from './cache-file.ts'
import { CachedObject } from './cached-object.ts'
import type { GrowingBody } from './growing-body.ts'

/** What is read first when nothing is known of the file. */
const FIRST_READ = 4096
/** What is copied at a time. */
const PIECE_SIZE = 262144
/** No body begins behind this. */
const START_MAX = 65536

/** Why there is no object: nothing stands there, the system refused, or what stands there is not used. */
export interface ReadFailure {
  /** An errno's name, or empty. */
  readonly errno: string
  readonly call: string
  readonly problem: FileProblem | ''
}

/** Reads the object of a key; `bodyStart` is where its body begins as far as it is known, or 0. */
export function readObject(path: string, key: CacheKey, bodyStart: number): CachedObject | ReadFailure {
  const fd = openPath(path)
  if (typeof fd === 'string') {
    noteShortage(fd)
    return refused(fd, 'open()')
  }
  const object = readOpened(path, key, fd, bodyStart)
  if (!(object instanceof CachedObject) || object.entry?.content !== undefined) closeOpen(fd)
  return object
}

function readOpened(path: string, key: CacheKey, fd: number, bodyStart: number): CachedObject | ReadFailure {
  const stats = statOpen(fd)
  if (typeof stats === 'string') return refused(stats, 'fstat()')
  const { size, ino, blocks } = stats
  const whole = size <= CONTENT_SIZE_MAX
  const bytes = readStart(fd, whole ? size : Math.max(bodyStart, FIRST_READ))
  if (typeof bytes === 'string') return refused(bytes, 'read()')
  const header = checkedHeader(bytes, key, size)
  if (typeof header === 'string') return unfit(header)
  let start = bytes
  if (header.bodyStart > bytes.length) {
    const more = readStart(fd, header.bodyStart)
    if (typeof more === 'string') return refused(more, 'read()')
    if (more.length < header.bodyStart) return unfit('is too small')
    start = more
  }
  if (whole && bytes.length < size) return unfit('is too small')
  const head = start.subarray(header.headerStart, header.bodyStart)
  const length = size - header.bodyStart
  const declared = declaredLength(head)
  // What HEAD was answered declares the length of a body that it has not.
  if (declared >= 0 && length !== declared && length !== 0) return unfit('is cut off')
  const content = whole ? bytes.subarray(header.bodyStart) : undefined
  const entry = FileEntry.body(path, header.bodyStart, length, content, whole ? -1 : fd)
  const object = new CachedObject(key.text, header, head, length, { entry })
  object.ino = ino
  object.fileSize = size
  object.blocks = blocks
  return object
}

/** The object of a file that is still written, whose first bytes are there up to the body. */
export function readGrowing(
  key: CacheKey,
  fd: number,
  bodyStart: number,
  growing: GrowingBody,
): CachedObject | undefined {
  const bytes = readStart(fd, bodyStart)
  if (typeof bytes === 'string' || bytes.length < bodyStart) return undefined
  const header = checkedHeader(bytes, key, bodyStart)
  if (typeof header === 'string' || header.bodyStart !== bodyStart) return undefined
  const head = bytes.subarray(header.headerStart, bodyStart)
  return new CachedObject(key.text, header, head, growing.expected, { growing })
}

/** The key and the head of a file, whatever they are; undefined when it is gone or broken. */
export function readStored(path: string): { readonly key: string; readonly head: Buffer } | undefined {
  const fd = openPath(path)
  if (typeof fd === 'string') return undefined
  const bytes = readStart(fd, START_MAX)
  closeOpen(fd)
  if (typeof bytes === 'string') return undefined
  const header = decodeHeader(bytes, bytes.length, bytes.length)
  if (typeof header === 'string') return undefined
  const key = keyTextOf(bytes, header)
  return key === undefined ? undefined : { key, head: bytes.subarray(header.headerStart, header.bodyStart) }
}

/** Passes a stored body on in pieces; false when it could not be read, or was not taken. */
export function copyBody(entry: FileEntry, take: (bytes: Uint8Array, end: number) => boolean): boolean {
  const { content, fd, base, size } = entry
  if (content !== undefined) return take(content, size)
  const bytes = Buffer.allocUnsafe(Math.min(size, PIECE_SIZE))
  for (let at = 0; at < size; ) {
    const count = readOpen(fd, bytes, Math.min(bytes.length, size - at), base + at)
    if (typeof count === 'string' || count === 0 || !take(bytes, count)) return false
    at += count
  }
  return true
}

/** The Content-Length of a stored head, or -1. A file that lost its end in a power failure shows itself by it. */
function declaredLength(head: Buffer): number {
  const found = LENGTH.exec(head.latin1Slice())
  return found === null ? -1 : Number(found[1])
}
const LENGTH = /\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r?\n/i

/** Reads so many bytes, or fewer when the file ends before. */
function readStart(fd: number, size: number): Buffer | string {
  const bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  while (at < size) {
    const count = readOpen(fd, at === 0 ? bytes : bytes.subarray(at), size - at, at)
    if (typeof count === 'string') return count
    if (count === 0) return bytes.subarray(0, at)
    at += count
  }
  return bytes
}

function checkedHeader(bytes: Buffer, key: CacheKey, fileSize: number): FileHeader | FileProblem {
  const header = decodeHeader(bytes, bytes.length, fileSize)
  if (typeof header === 'string') return header
  if (header.crc !== key.crc || header.headerStart !== key.headerStart) return 'has md5 collision'
  if (bytes.length < header.headerStart) return 'is too small'
  return keyTextOf(bytes, header) === key.text ? header : 'has md5 collision'
}

function refused(errno: string, call: string): ReadFailure {
  return { errno, call, problem: '' }
}

function unfit(problem: FileProblem): ReadFailure {
  return { errno: '', call: '', problem }
}
