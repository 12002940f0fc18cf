/**
 * `client_body_early_read` (ngx_http_core_module): the whole body is read before anything is done with a request, so that
 * what is limited or counted there is not held up by slow clients.
 */
import { directives } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import { ERROR } from '../../log/error-log.ts'
import { templates } from '../../value/template.ts'
import { isTrue } from '../../value/truth.ts'

/** The module list's entry. */
export const earlyBodyModule = httpModule({
  name: 'http_early_body',
  doc: 'Reads bodies of requests first.',
  directives: {
    client_body_early_read: directives({
      in: ['http', 'server'],
      args: templates,
      doc: 'Reads the whole body of a request first when one of these texts is neither empty nor `0`.',
    }),
  },
  attach({ client_body_early_read: lists }, plan, at) {
    if (lists.length > 0)
      plan.postread(
        readFirst,
        lists.flat().map((text) => at.text(text)),
      )
  },
})

function readFirst(r: Request, conditions: readonly Text[]): Verdict {
  if (!conditions.some((text) => isTrue(text(r)))) return NEXT
  const max = r.location.core.client_max_body_size
  if (max > 0 && r.contentLength > max) {
    r.logError(ERROR, `client intended to send too large body: ${r.contentLength} bytes`)
    return 413
  }
  return r.readBody(goOn)
}

function goOn(): Verdict {
  return NEXT
}
