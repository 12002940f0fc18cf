/**
 * ngx_http_auth_request_module: asks another location whether a request may pass. The answer's status decides: 2xx lets
 * it in, 401 and 403 are passed on, anything else is an error.
 */
import { text } from '../../config/args.ts'
import { type Args, directive, directives } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { defineSlot } from '../../http/request/slots.ts'
import { ALLOWED, type Verdict, WAIT } from '../../http/request/verdict.ts'
import { Subrequest, type SubrequestOwner } from '../../http/subrequest/subrequest.ts'
import { ERROR } from '../../log/error-log.ts'
import { type Later, postpone } from '../../net/flush.ts'
import { readTemplate, type Template } from '../../value/template.ts'
import { variableName } from '../../value/variable-name.ts'
import type { Setter } from '../../value/variables.ts'

const HSL = ['http', 'server', 'location'] as const

interface SetRule {
  readonly variable: string
  readonly value: Template
}

const setArgs: Args<SetRule> = {
  syntax: '$variable value',
  min: 2,
  max: 2,
  read([name, value], at) {
    return { variable: variableName(name!, at), value: readTemplate(value!, at) }
  },
}

const declared = {
  auth_request: directive({ in: HSL, args: text('uri | off'), default: 'off', doc: 'The URI that is asked.' }),
  auth_request_set: directives({
    in: HSL,
    args: setArgs,
    doc: 'Gives a variable a value once the answer is there; the value may tell of the answer.',
  }),
}

interface AuthConf {
  readonly uri: string
  readonly rules: readonly { readonly set: Setter<Request>; readonly value: Text }[]
}

const checks = defineSlot<AuthCheck>()

/** The module list's entry. */
export const authRequestModule = httpModule({
  name: 'http_auth_request',
  doc: 'Access by the answer to another request.',
  directives: declared,
  declare(_conf, tree, scope) {
    for (const { variable } of scope.own(declared).auth_request_set ?? []) {
      const at = scope.positionOf(declared.auth_request_set) ?? scope.at
      if (tree.variables.isFixed(variable)) tree.fail(`the duplicate "${variable}" variable`, at)
      else tree.variables.settable(variable)
    }
  },
  attach({ auth_request: uri, auth_request_set: rules }, plan, at) {
    if (uri === 'off' || uri === '') return
    plan.access(authorize, {
      uri,
      rules: rules.map(({ variable, value }) => ({ set: at.setter(variable), value: at.text(value) })),
    })
  },
})

function authorize(r: Request, conf: AuthConf): Verdict {
  const done = r.get(checks)
  if (done === undefined) {
    const check = new AuthCheck(r, conf)
    r.set(checks, check)
    return check.start() ? WAIT : 500
  }
  const { status } = done
  if (status >= 200 && status < 300) return ALLOWED
  if (status === 403) return status
  if (status === 401) {
    for (const challenge of done.challenges) r.out.add('WWW-Authenticate', challenge)
    return status
  }
  r.logError(ERROR, `auth request unexpected status: ${status}`)
  return 500
}

/** One question and its answer. */
class AuthCheck implements SubrequestOwner, Later {
  readonly #r: Request
  readonly #conf: AuthConf
  status = 0
  challenges: readonly string[] = []

  constructor(r: Request, conf: AuthConf) {
    this.#r = r
    this.#conf = conf
  }

  start(): boolean {
    const question = new Subrequest(this.#r, this.#conf.uri, '', this)
    question.headOnly = true
    question.leaveBody()
    return question.start()
  }

  onSubrequestEnd(sr: Request): void {
    this.status = sr.out.status
    if (this.status === 401) this.challenges = challengesOf(sr)
    // The rules see the answer, and what they set stays through internal redirects.
    const { rules } = this.#conf
    for (let i = 0; i < rules.length; i++) rules[i]!.set(this.#r, rules[i]!.value(sr))
    postpone(this)
  }

  runLater(): void {
    const r = this.#r
    if (!r.ended && r.get(checks) === this) r.retry()
  }
}

/** The challenges of an answer 401, one per field. */
function challengesOf({ out }: Request): string[] {
  const found = out.names.flatMap((name, i) => (name.toLowerCase() === 'www-authenticate' ? [out.values[i]!] : []))
  for (const line of out.lines.split('\r\n')) {
    if (line.slice(0, 17).toLowerCase() === 'www-authenticate:') found.push(line.slice(17).trim())
  }
  return found
}
