/** Short responses that are made at once: a status with a text, or a redirect (ngx_http_send_response). */
import { NO_BYTES } from '../../lib/bytes.ts'
import { LAST, STABLE } from '../message/body.ts'
import type { Request } from '../request/request.ts'
import { DONE, type Verdict } from '../request/verdict.ts'
import { setContentType } from './content-type.ts'

/** Tells whether `return` and its like take the text that goes with a status for a Location. */
export function isRedirect(status: number): boolean {
  return (status >= 301 && status <= 303) || status === 307 || status === 308
}

/** Sends `text`, a binary string; for a redirect status it is where the client is sent to. */
export function sendText(r: Request, status: number, text: string): Verdict {
  if (isRedirect(status)) {
    const broken = r.discardBody()
    if (broken !== 0) return broken
    // nginx sends the field even when it is empty.
    if (text === '') r.out.add('Location', '')
    r.out.location = text
    return status
  }
  const { out } = r
  const broken = r.discardBody()
  if (broken !== 0) return broken
  out.status = status
  out.contentLength = text.length
  setContentType(r)
  r.sendHead()
  r.body.writeText(r.headerOnly ? '' : text, LAST)
  return DONE
}

/** Sends bytes that never change; their type is that of the URI unless `contentType` is given. */
export function sendBytes(r: Request, status: number, bytes: Uint8Array, contentType = ''): Verdict {
  const { out } = r
  const broken = r.discardBody()
  if (broken !== 0) return broken
  out.status = status
  out.contentLength = bytes.length
  if (contentType === '') setContentType(r)
  else out.contentType = contentType
  r.sendHead()
  r.body.write(r.headerOnly ? NO_BYTES : bytes, LAST | STABLE)
  return DONE
}
