/** A stale response is renewed behind the answer that it is used for: by a copy of the request, whose answer nobody reads. */
import type { CacheUse } from '../../cache/cache-use.ts'
import type { Request } from '../../request/request.ts'
import type { Verdict } from '../../request/verdict.ts'
import { Subrequest } from '../../subrequest/subrequest.ts'
import type { Exchange } from '../exchange.ts'

/** Begins it; false: there are too many subrequests. From then on `use` belongs to the copy. */
export function renewBehind(exchange: Exchange, use: CacheUse, key: string): boolean {
  const { r } = exchange
  const copy = new Subrequest(r, r.uri, r.args, undefined)
  const other = exchange.another(copy.r)
  copy.r.conversation = other
  copy.headOnly = true
  // As in nginx a connection that closes does so when the response is renewed; one that stays does not wait for that.
  if (r.main.keepAlive) copy.copy = true
  else copy.background = true
  copy.cloneOf(r, { run: startCopy as never, conf: other })
  if (!copy.start()) {
    other.release()
    return false
  }
  other.caching!.adopt(use, key)
  return true
}

function startCopy(_: Request, exchange: Exchange): Verdict {
  return exchange.start()
}
