/**
 * The payload of a HEADERS frame (RFC 9113, 6.2):
 *
 *   | length of padding | priority: 5 bytes | header block | padding |      the first two as the flags say
 */
import { PADDED, PRIORITY_FLAG } from './frames.ts'

/** Bytes before the header block: the length of a frame may not be less. */
export function sizeBeforeBlock(flags: number): number {
  return ((flags & PADDED) !== 0 ? 1 : 0) + ((flags & PRIORITY_FLAG) !== 0 ? 5 : 0)
}

/** What `readHeadersPayload` has found; good until it is called again. */
export const headersPayload = {
  /** Where the block stands in the buffer. */
  blockStart: 0,
  blockEnd: 0,
  /** Bytes of padding. */
  padding: 0,
  /** Where the priority stands, or -1. */
  priorityAt: -1,
}

/** Finds the parts; false: the padding is longer than what is left for it. The length of the frame was judged before. */
export function readHeadersPayload(flags: number, buffer: Buffer, start: number, end: number): boolean {
  const found = headersPayload
  found.blockStart = start + sizeBeforeBlock(flags)
  found.padding = (flags & PADDED) !== 0 ? buffer[start]! : 0
  found.blockEnd = end - found.padding
  found.priorityAt = (flags & PRIORITY_FLAG) !== 0 ? found.blockStart - 5 : -1
  return found.blockEnd >= found.blockStart
}
