/** The numbers of HTTP/2 (RFC 9113) and how small frames are written; as binary text, since that is what a wire takes. */

/** What a client sends first. */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** Frame types. */
export const DATA = 0x0
export const HEADERS = 0x1
export const PRIORITY = 0x2
export const RST_STREAM = 0x3
export const SETTINGS = 0x4
export const PUSH_PROMISE = 0x5
export const PING = 0x6
export const GOAWAY = 0x7
export const WINDOW_UPDATE = 0x8
export const CONTINUATION = 0x9

/** Flags. */
export const END_STREAM = 0x1
export const ACK = 0x1
export const END_HEADERS = 0x4
export const PADDED = 0x8
export const PRIORITY_FLAG = 0x20

/** Error codes. */
export const NO_ERROR = 0x0
export const PROTOCOL_ERROR = 0x1
export const INTERNAL_ERROR = 0x2
export const FLOW_CONTROL_ERROR = 0x3
export const SETTINGS_TIMEOUT = 0x4
export const STREAM_CLOSED = 0x5
export const FRAME_SIZE_ERROR = 0x6
export const REFUSED_STREAM = 0x7
export const CANCEL = 0x8
export const COMPRESSION_ERROR = 0x9
export const CONNECT_ERROR = 0xa
export const ENHANCE_YOUR_CALM = 0xb
export const INADEQUATE_SECURITY = 0xc
export const HTTP_1_1_REQUIRED = 0xd

/** Identifiers of settings. */
export const HEADER_TABLE_SIZE = 0x1
export const ENABLE_PUSH = 0x2
export const MAX_CONCURRENT_STREAMS = 0x3
export const INITIAL_WINDOW_SIZE = 0x4
export const MAX_FRAME_SIZE = 0x5
export const MAX_HEADER_LIST_SIZE = 0x6
export const ENABLE_CONNECT_PROTOCOL = 0x8

/** Bytes before every payload. */
export const FRAME_HEAD_SIZE = 9
export const WINDOW_DEFAULT = 65535
export const WINDOW_MAX = 0x7fffffff
export const FRAME_SIZE_DEFAULT = 16384
export const FRAME_SIZE_LIMIT = 16777215
export const TABLE_SIZE_DEFAULT = 4096

/** The nine bytes before a payload of `length` bytes. */
export function frameHead(length: number, type: number, flags: number, stream: number): string {
  return String.fromCharCode(
    length >>> 16,
    (length >>> 8) & 0xff,
    length & 0xff,
    type,
    flags,
    stream >>> 24,
    (stream >>> 16) & 0xff,
    (stream >>> 8) & 0xff,
    stream & 0xff,
  )
}

/** A number of four bytes. */
function u32Text(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

/** SETTINGS with these identifiers and values. */
export function settingsFrame(pairs: readonly (readonly [number, number])[]): string {
  let frame = frameHead(pairs.length * 6, SETTINGS, 0, 0)
  for (const [id, value] of pairs) frame += String.fromCharCode(id >>> 8, id & 0xff) + u32Text(value)
  return frame
}

/** The acknowledgement of SETTINGS. */
export const SETTINGS_ACK: string = frameHead(0, SETTINGS, ACK, 0)

/** Lets the peer send `count` bytes more, on one stream or (0) in all. */
export function windowUpdate(stream: number, count: number): string {
  return frameHead(4, WINDOW_UPDATE, 0, stream) + u32Text(count)
}

/** Ends a stream at once. */
/** A block of fields as HEADERS, and CONTINUATION where it is longer than `frameMax`; `flags` are END_STREAM or 0. */
export function headersFrames(stream: number, block: string, flags: number, frameMax: number): string {
  if (block.length <= frameMax) return frameHead(block.length, HEADERS, flags | END_HEADERS, stream) + block
  let frames = ''
  for (let at = 0; at < block.length; at += frameMax) {
    const piece = block.slice(at, at + frameMax)
    const own = (at === 0 ? flags : 0) | (at + frameMax >= block.length ? END_HEADERS : 0)
    frames += frameHead(piece.length, at === 0 ? HEADERS : CONTINUATION, own, stream) + piece
  }
  return frames
}

/** Ends a stream at once. */
export function rstStream(stream: number, code: number): string {
  return frameHead(4, RST_STREAM, 0, stream) + u32Text(code)
}

/** `last` is the last stream that was, or may have been, worked on. */
export function goAway(last: number, code: number): string {
  return frameHead(8, GOAWAY, 0, 0) + u32Text(last) + u32Text(code)
}

/** Answers a PING with its own eight bytes. */
export function pingAck(data: string): string {
  return frameHead(8, PING, ACK, 0) + data
}

/** Reads two bytes. */
export function u16(buffer: Buffer, at: number): number {
  return (buffer[at]! << 8) | buffer[at + 1]!
}

/** Reads three bytes. */
export function u24(buffer: Buffer, at: number): number {
  return (buffer[at]! << 16) | (buffer[at + 1]! << 8) | buffer[at + 2]!
}

/** Reads four bytes. */
export function u32(buffer: Buffer, at: number): number {
  return ((buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!) >>> 0
}

/** Reads four bytes without the reserved first bit: a stream's number, or a window. */
export function u31(buffer: Buffer, at: number): number {
  return ((buffer[at]! & 0x7f) << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!
}
