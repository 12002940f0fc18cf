/**
 * ngx_http_internal_redirect_module (NGINX Plus): sends a request elsewhere in the server once limits and access rules have
 * let it pass, where rewrite rules would do so before.
 */
import { directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { isUnsafe, mayBeUnsafe } from '../../http/message/unsafe-uri.ts'
import { redirectToNamed } from '../../http/request/error-pages.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import { ERROR } from '../../log/error-log.ts'
import { template } from '../../value/template.ts'

interface RedirectConf {
  readonly target: Text
  /** A variable could lead to where the request has no business. */
  readonly guarded: boolean
}

/** The module list's entry. */
export const internalRedirectModule = httpModule({
  name: 'http_internal_redirect',
  doc: 'Redirects inside the server, behind limits and access rules.',
  directives: {
    internal_redirect: directive({
      in: ['server', 'location'],
      args: template('uri'),
      doc: 'A URI or named location that requests go on to; an empty value means none.',
    }),
  },
  attach({ internal_redirect: target }, plan, at) {
    if (target !== undefined) plan.precontent(redirect, { target: at.text(target), guarded: mayBeUnsafe(target) })
  },
})

function redirect(r: Request, { target, guarded }: RedirectConf): Verdict {
  const uri = target(r)
  if (uri === '' || r !== r.main) return NEXT
  // A server's own is inherited by the location that it leads to.
  if (uri.startsWith('@')) return r.location.name === uri ? NEXT : redirectToNamed(r, uri)
  const question = uri.indexOf('?')
  const path = question < 0 ? uri : uri.slice(0, question)
  if (path === r.uri) return NEXT
  if (guarded && isUnsafe(path)) {
    r.logError(ERROR, `unsafe URI "${uri}" was detected`)
    return 500
  }
  return r.redirectTo(path, question < 0 ? '' : uri.slice(question + 1))
}
