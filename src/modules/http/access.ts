/** ngx_http_access_module: lets requests in or turns them away by the client's address; the first rule that fits decides. */
import { word } from '../../config/args.ts'
import { type Args, directives } from '../../config/directive.ts'
import type { Scope } from '../../config/scope.ts'
import type { Position } from '../../config/source.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Request } from '../../http/request/request.ts'
import { trace } from '../../http/request/trace.ts'
import { ALLOWED, NEXT, type Verdict } from '../../http/request/verdict.ts'
import { type Cidr, matchCidr, parseCidr, UNIX_CIDR } from '../../lib/cidr.ts'
import { ERROR } from '../../log/error-log.ts'

const PLACES = ['http', 'server', 'location', 'limit_except'] as const

/** Whom a rule is for: a network, UNIX sockets, or (undefined) everybody. */
type Whom = Cidr | undefined

const whom: Args<Whom> = word('address | CIDR | unix: | all', (w, at) => {
  if (w.text === 'all') return undefined
  if (w.text === 'unix:') return UNIX_CIDR
  const cidr = parseCidr(w.text)
  if (cidr === undefined) return at.fail(`invalid parameter "${w.text}"`, w)
  if (cidr.lowBits) at.warn(`low address bits of ${w.text} are meaningless`, w)
  return cidr
})

const rules = {
  allow: directives({ in: PLACES, args: whom, doc: 'Lets clients with these addresses in.' }),
  deny: directives({ in: PLACES, args: whom, doc: 'Turns clients with these addresses away.' }),
}

interface Rule {
  readonly whom: Whom
  readonly denied: boolean
  readonly at: Position
}

/** The module list's entry. */
export const accessModule = httpModule({
  name: 'http_access',
  doc: 'Access by client address.',
  directives: rules,
  attach(_conf, plan, at) {
    const list = rulesOf(at.scope)
    if (list.length > 0) plan.access(checkAddress, list)
  },
})

/** The rules of the nearest block that has any: `allow` and `deny` are one list. */
function rulesOf(scope: Scope): readonly Rule[] {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const own = at.ordered(rules)
    if (own.length > 0) return own.map(({ name, value, at }) => ({ whom: value, denied: name === 'deny', at }))
  }
  return []
}

function checkAddress(r: Request, list: readonly Rule[]): Verdict {
  const { client } = r
  const address = client.address === 'unix:' ? '' : client.binaryAddress
  for (let i = 0; i < list.length; i++) {
    const rule = list[i]!
    if (rule.whom !== undefined && !matchCidr(rule.whom, address)) continue
    if (trace !== undefined) trace.decided(r, rule.at, `${rule.denied ? 'denies' : 'allows'} ${client.address}`)
    if (!rule.denied) return ALLOWED
    if (r.location.core.satisfy === 'all') r.logError(ERROR, 'access forbidden by rule')
    return 403
  }
  return NEXT
}
