/**
 * ngx_http_postpone_filter_module: keeps the order of a response and of the subrequests in it. It stands between the
 * filters that work on each (sub)request by itself and those that work on the response as a whole.
 */
import { httpModule } from '../../http/compile/module.ts'
import { addOrderedBody } from '../../http/subrequest/ordered-body.ts'

/** The module list's entry. */
export const postponeModule = httpModule({
  name: 'http_postpone',
  doc: 'Keeps the order of subrequests.',
  directives: {},
  attach(_conf, plan) {
    if (plan.subrequests) plan.headerFilter(addOrderedBody, undefined)
  },
})
