/**
 * A file that all threads read in memory, once: the first thread that needs it reads it, others wait for that. A thread
 * that ends in the middle leaves the work to the next.
 *
 *     words  0 state   1 length   ...   then the content
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { errnoCode } from '../lib/errno.ts'
import { systemPath } from '../lib/file-status.ts'

const HEAD_SIZE = 64
const STATE = 0
const LENGTH = 1
const EMPTY = 0
const READING = 1
const READY = 2
/** A disk that takes longer for one file is no reason to wait. */
const WAIT_MAX_MS = 5000

/** Bytes of shared memory for a file of that size; nginx's zones are not smaller. */
export function copySize(fileSize: number): number {
  return Math.max(32768, HEAD_SIZE + fileSize)
}

/** The content of the file at `path`, read into `shared` unless it is there already; or the errno's name. */
export function sharedCopy(shared: SharedArrayBuffer, path: string): Buffer | string {
  const words = new Int32Array(shared, 0, 2)
  for (;;) {
    const state = Atomics.compareExchange(words, STATE, EMPTY, READING)
    if (state === READY) return Buffer.from(shared, HEAD_SIZE, words[LENGTH])
    // Whoever reads may have ended: then this thread does it again, with the same bytes.
    if (state === EMPTY || Atomics.wait(words, STATE, READING, WAIT_MAX_MS) === 'timed-out') break
  }
  const length = readWhole(path, Buffer.from(shared, HEAD_SIZE))
  const isRead = typeof length === 'number'
  if (isRead) words[LENGTH] = length
  Atomics.store(words, STATE, isRead ? READY : EMPTY)
  Atomics.notify(words, STATE)
  return isRead ? Buffer.from(shared, HEAD_SIZE, length) : length
}

function readWhole(path: string, into: Buffer): number | string {
  let fd = -1
  // tidy: the system may refuse each call, and Node tells it by exceptions.
  try {
    fd = openSync(systemPath(path), 'r')
    const size = Math.min(fstatSync(fd).size, into.length)
    let at = 0
    for (let count = -1; at < size && count !== 0; at += count) count = readSync(fd, into, at, size - at, at)
    return at
  } catch (error) {
    return errnoCode(error) || 'EIO'
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}
