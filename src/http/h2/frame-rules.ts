/**
 * What the nine bytes of a client's frame tell about it: type, stream and length are judged before the payload comes,
 * which may be never (RFC 9113, sections 5.1 and 6). Lengths that are wrong for every stream, wire/frame-reader.ts finds.
 */

import type { ClosedStreams } from './closed-streams.ts'
import {
  ACK,
  CONTINUATION,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PRIORITY,
  PRIORITY_FLAG,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  STREAM_CLOSED,
  WINDOW_UPDATE,
} from './wire/frames.ts'
import { SETTING_SIZE } from './wire/settings.ts'

/** What the judgement depends on. */
export interface FrameContext {
  readonly closedStreams: ClosedStreams
  /** The highest number of a stream that the client has begun. */
  readonly lastStream: number
  /** GOAWAY was sent: what comes on later streams was on its way, and is ignored. */
  readonly leaving: boolean
  /** The stream whose block of fields is not whole yet; 0 when there is none. */
  readonly headStream: number
  isOpen(id: number): boolean
}

/** The verdict on the last frame that broke a rule; `text` goes on after "client sent ". There is one for the thread. */
export const fault: { code: number; text: string } = { code: 0, text: '' }

/** True when a frame other than DATA may go on; otherwise `fault` says why not. */
export function judgeFrame(type: number, flags: number, id: number, size: number, at: FrameContext): boolean {
  if (at.headStream !== 0 && type !== CONTINUATION) {
    return found(PROTOCOL_ERROR, 'inappropriate frame while CONTINUATION was expected')
  }
  switch (type) {
    case HEADERS:
      return judgeHeaders(flags, id, size, at)
    case CONTINUATION:
      if (at.headStream === 0) return found(PROTOCOL_ERROR, 'unexpected CONTINUATION frame')
      return at.headStream === id || misplaced('CONTINUATION')
    case PRIORITY:
      return id !== 0 || misplaced('PRIORITY')
    case RST_STREAM:
      return (id !== 0 && !isIdle(id, at)) || misplaced('RST_STREAM')
    case SETTINGS:
      return judgeSettings(flags, id, size)
    case PING:
      return id === 0 || misplaced('PING')
    case GOAWAY:
      return id === 0 || misplaced('GOAWAY')
    case WINDOW_UPDATE:
      if (id === 0 || at.isOpen(id) || !isIdle(id, at)) return true
      return found(PROTOCOL_ERROR, `WINDOW_UPDATE frame for idle stream ${id}`)
    default:
      return type !== PUSH_PROMISE || found(PROTOCOL_ERROR, 'PUSH_PROMISE frame')
  }
}

/** Nothing was ever said on that stream, as far as is known: heads behind GOAWAY are not looked at (RFC 9113, 6.8). */
export function isIdle(id: number, at: FrameContext): boolean {
  return id % 2 === 0 || (id > at.lastStream && !at.leaving)
}

function judgeHeaders(flags: number, id: number, size: number, at: FrameContext): boolean {
  const extra = ((flags & PADDED) !== 0 ? 1 : 0) + ((flags & PRIORITY_FLAG) !== 0 ? 5 : 0)
  if (size < extra) return found(FRAME_SIZE_ERROR, `HEADERS frame with incorrect length ${size}`)
  if (at.isOpen(id)) return true
  if (size === extra) return found(FRAME_SIZE_ERROR, 'HEADERS frame with empty header block')
  if ((id > at.lastStream && id % 2 === 1) || at.closedStreams.byServer(id)) return true
  const code = at.closedStreams.byClient(id) ? STREAM_CLOSED : PROTOCOL_ERROR
  return found(code, `HEADERS frame with incorrect identifier ${id}, the last was ${at.lastStream}`)
}

function judgeSettings(flags: number, id: number, size: number): boolean {
  if (id !== 0) return misplaced('SETTINGS')
  if ((flags & ACK) === 0) {
    return size % SETTING_SIZE === 0 || found(FRAME_SIZE_ERROR, `SETTINGS frame with incorrect length ${size}`)
  }
  return size === 0 || found(FRAME_SIZE_ERROR, 'SETTINGS frame with the ACK flag and nonzero length')
}

function misplaced(name: string): false {
  return found(PROTOCOL_ERROR, `${name} frame with incorrect identifier`)
}

function found(code: number, text: string): false {
  fault.code = code
  fault.text = text
  return false
}
