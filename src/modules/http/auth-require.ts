/**
 * ngx_http_auth_require_module of NGINX Plus: lets in only if values are there and not `0`, whatever they tell of. It runs
 * behind the modules that find out who asks.
 */
import { type Args, directives } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Request } from '../../http/request/request.ts'
import { ALLOWED, type Verdict } from '../../http/request/verdict.ts'
import { ERROR } from '../../log/error-log.ts'
import { type Demand, demands, type Requirement, requirement, unmet } from '../../value/requirements.ts'

const values = requirement('$value ... [error=4xx | 5xx] | off', 403, (error) => error >= 400 && error <= 599)

/** `off` demands nothing, and takes the place of what is demanded around it. */
const required: Args<Requirement> = {
  ...values,
  read: (words, at) =>
    words.length === 1 && words[0]!.text === 'off' ? { values: [], error: 0 } : values.read(words, at),
}

/** The module list's entry. */
export const authRequireModule = httpModule({
  name: 'http_auth_require',
  doc: 'Access by values of variables.',
  directives: {
    auth_require: directives({
      in: ['http', 'server', 'location', 'limit_except'],
      args: required,
      doc: 'Lets in only if all values are there and not `0`; else the error is answered, 403 unless told otherwise.',
    }),
  },
  attach({ auth_require: rules }, plan, at) {
    const given = rules.filter((rule) => rule.values.length > 0)
    if (given.length > 0) plan.access(check, demands(given, at.text))
  },
})

function check(r: Request, list: readonly Demand<Request>[]): Verdict {
  const error = unmet(r, list)
  if (error === 0) return ALLOWED
  r.logError(ERROR, 'access forbidden: "auth_require" is not met')
  return error
}
