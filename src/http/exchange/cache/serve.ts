/**
 * Answers with a stored response. Its head is read by the codec of the protocol that it came by, as if a back end had sent
 * it just now, and goes the same way: what is hidden, rewritten and understood is the location's affair and not the file's.
 */
import { CRIT } from '../../../log/error-log.ts'
import type { CachedObject } from '../../cache/cached-object.ts'
import type { FileEntry } from '../../files/file-entry.ts'
import { HEAD } from '../../message/method.ts'
import type { Request } from '../../request/request.ts'
import { DONE, NEXT, type Verdict } from '../../request/verdict.ts'
import { sendFile } from '../../response/send-file.ts'
import { HEAD_DONE } from '../codec.ts'
import type { Exchange } from '../exchange.ts'
import { applyResponseHead, redirectedByBackEnd } from '../response-head.ts'
import { follow } from './follow.ts'
import { PreparedHead } from './prepared-head.ts'
import { undress } from './shared.ts'

const NO_CONTENT = 204
const NOT_MODIFIED = 304

/** Reads the head of a stored response; false: it makes no sense, which was logged. */
export function readStoredHead(r: Request, exchange: Exchange, object: CachedObject): boolean {
  const { head } = object
  const code = exchange.readStored(head)
  if (code === HEAD_DONE && exchange.codec.headLength === head.length) return true
  r.logError(CRIT, `cache file of "${object.key}" contains invalid header`)
  return false
}

/** Serves it; `owned`: so is its entry. NEXT: it cannot be, and somebody has to be asked. */
export function serveObject(r: Request, exchange: Exchange, object: CachedObject, owned: boolean): Verdict {
  const { conf } = exchange
  const { entry } = object
  const prepared = PreparedHead.of(object, conf)
  if (prepared !== undefined && entry !== undefined) return servePrepared(r, exchange, prepared, entry, owned)
  if (!readStoredHead(r, exchange, object)) {
    if (owned) entry?.release()
    return NEXT
  }
  const { codec } = exchange
  if (hasLength(codec.status) && !fits(r, codec.contentLength, object)) {
    r.logError(
      CRIT,
      `cache file of "${object.key}" has a body of ${object.length} bytes in place of ${codec.contentLength}`,
    )
    if (owned) entry?.release()
    return NEXT
  }
  const redirected = redirectedByBackEnd(r, conf, codec)
  if (redirected !== undefined) {
    if (owned) entry?.release()
    redirected()
    return DONE
  }
  const broken = r.discardBody()
  if (broken !== 0) return broken
  const rfc9111 = conf.cache?.rfc9111 === true
  if (rfc9111) undress(exchange)
  applyResponseHead(r, conf, exchange)
  const { out } = r
  if (rfc9111) out.allowRanges = true
  out.trailers = undefined
  if (entry === undefined) {
    follow(r, object)
    return DONE
  }
  // nginx sends in chunks again what came so.
  if (rfc9111 && hasLength(codec.status) && codec.contentLength < 0) out.contentLength = object.length
  if (codec.contentLength < 0 || codec.contentLength === object.length) PreparedHead.keep(object, exchange, out)
  if (!owned) entry.retain()
  sendFile(r, entry)
  return DONE
}

/** The same with a head that was made for a request before. */
function servePrepared(
  r: Request,
  exchange: Exchange,
  prepared: PreparedHead,
  entry: FileEntry,
  owned: boolean,
): Verdict {
  const broken = r.discardBody()
  if (broken !== 0) return broken
  exchange.knows(prepared.fields)
  prepared.apply(r.out)
  if (!owned) entry.retain()
  sendFile(r, entry)
  return DONE
}

function hasLength(status: number): boolean {
  return status !== NO_CONTENT && status !== NOT_MODIFIED
}

/** The head tells the truth about the body. What came for HEAD has none, and is good for HEAD alone. */
function fits(r: Request, told: number, object: CachedObject): boolean {
  if (told < 0 || object.entry === undefined || told === object.length) return true
  return r.methodBit === HEAD && object.length === 0
}
