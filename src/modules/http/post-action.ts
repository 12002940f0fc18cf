/**
 * `post_action` (ngx_http_core_module): visits another URI or named location when the response is out, for the sake of
 * what is done there. nginx turns the request itself round; here the visit is a background subrequest, and the request
 * is logged where the visit led to.
 */
import { text } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Request } from '../../http/request/request.ts'
import { Subrequest, type SubrequestOwner } from '../../http/subrequest/subrequest.ts'

/** The module list's entry. */
export const postActionModule = httpModule({
  name: 'http_post_action',
  doc: 'What is done when a response is out.',
  directives: {
    post_action: directive({
      in: ['http', 'server', 'location', 'if'],
      args: text('uri | @name | off'),
      default: 'off',
      doc: 'A URI or a named location that is visited when the response is out.',
    }),
  },
  attach({ post_action: target }, plan) {
    if (target !== 'off') plan.end(visit, target)
  },
})

function visit(r: Request, target: string): void {
  if (r.malformed) return
  const named = !target.startsWith('/')
  const sr = new Subrequest(r, named ? r.uri : target, named ? r.args : '', loggedThere)
  sr.headOnly = true
  sr.background = true
  if (named) sr.named = target
  sr.r.method = r.method
  sr.r.methodBit = r.methodBit
  tellOutcome(sr.r, r)
  sr.start()
}

/** Until the visit has an answer of its own, its variables tell how the request went: that is what most visits report. */
function tellOutcome(visiting: Request, r: Request): void {
  visiting.out.status = r.out.status
  visiting.bytesSent = r.bytesSent
  visiting.headLength = r.headLength
  visiting.completed = r.completed
}

const loggedThere: SubrequestOwner = {
  onSubrequestEnd(sr) {
    const { main } = sr
    main.location = sr.location
    main.uri = sr.uri
    main.args = sr.args
  },
}
