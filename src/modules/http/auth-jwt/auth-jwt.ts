/**
 * ngx_http_auth_jwt_module of NGINX Plus: lets in who has a JSON Web Token that fits a key. A step of the access phase
 * gathers the keys (files at once, answers to subrequests later) and has the token checked, which takes a moment when it
 * was not checked before.
 *
 * Until then `$jwt_*` tell what the token says of itself, for limits and for the choice of a key; when the access phase is
 * over they tell only what was checked.
 */
import { milliseconds, oneOf, seconds } from '../../../config/args.ts'
import { type Args, directive, directives } from '../../../config/directive.ts'
import { fullName } from '../../../config/include.ts'
import { type HttpTree, httpModule } from '../../../http/compile/module.ts'
import { bearerToken } from '../../../http/message/credentials.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { ALLOWED, NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { type Json, jsonText, memberOf } from '../../../lib/tokens.ts'
import { ERROR, INFO } from '../../../log/error-log.ts'
import { demands, requirement, unmet } from '../../../value/requirements.ts'
import { readTemplate, type Template, template } from '../../../value/template.ts'
import { variableName } from '../../../value/variable-name.ts'
import { checkOf, JWT, type JwtConf, tokenOf } from './check.ts'
import { KeyCache } from './keys.ts'

const HSL = ['http', 'server', 'location'] as const
const PLACES = ['http', 'server', 'location', 'limit_except'] as const

interface AuthJwt {
  readonly realm: Template
  /** Where the token is; undefined: in `Authorization`. */
  readonly token: Template | undefined
}

const authJwt: Args<AuthJwt> = {
  syntax: 'string [token=$variable] | off',
  min: 1,
  max: 2,
  read([realm, parameter], at) {
    let token: Template | undefined
    if (parameter !== undefined) {
      if (!parameter.text.startsWith('token=$')) at.fail(`invalid parameter "${parameter.text}"`, parameter)
      token = readTemplate({ ...parameter, text: parameter.text.slice('token='.length) }, at)
    }
    return { realm: readTemplate(realm!, at), token }
  },
}

/** A variable and the names that lead to its value. */
interface SetRule {
  readonly variable: string
  readonly path: readonly string[]
}

const setArgs: Args<SetRule> = {
  syntax: '$variable name ...',
  min: 2,
  max: Number.POSITIVE_INFINITY,
  read: ([variable, ...names], at) => ({ variable: variableName(variable!, at), path: names.map((w) => w.text) }),
}

const required = requirement('$value ... [error=401 | 403]', 401, (error) => error === 401 || error === 403)

const declared = {
  auth_jwt: directive({
    in: PLACES,
    args: authJwt,
    default: 'off',
    doc: 'Asks for a JSON Web Token; the string tells the client what for. Without `token=` it is a Bearer token.',
  }),
  auth_jwt_claim_set: directives({
    in: ['http'],
    args: setArgs,
    doc: 'Makes a variable of a claim that the names lead to; lists are joined by commas.',
  }),
  auth_jwt_header_set: directives({
    in: ['http'],
    args: setArgs,
    doc: 'Makes a variable of a member of the header of the token.',
  }),
  auth_jwt_key_cache: directive({
    in: HSL,
    args: milliseconds,
    default: '0',
    doc: 'How long keys are not asked for again.',
  }),
  auth_jwt_key_file: directives({
    in: PLACES,
    args: template('file'),
    doc: 'A file with keys, a JSON Web Key Set; the name may have variables.',
  }),
  auth_jwt_key_request: directives({
    in: PLACES,
    args: template('uri'),
    doc: 'The URI that a subrequest gets keys from.',
  }),
  auth_jwt_leeway: directive({
    in: HSL,
    args: seconds,
    default: '0s',
    doc: 'How far clocks may be apart when `exp` and `nbf` are looked at.',
  }),
  auth_jwt_require: directives({
    in: PLACES,
    args: required,
    doc: 'Lets in only if all values are there and not `0`; they may tell of the token.',
  }),
  auth_jwt_type: directive({
    in: PLACES,
    args: oneOf('signed', 'encrypted', 'nested'),
    default: 'signed',
    doc: 'What tokens are: signed (JWS), encrypted (JWE), or signed and then encrypted.',
  }),
}

/** The module list's entry. */
export const authJwtModule = httpModule({
  name: 'http_auth_jwt',
  doc: 'Access by JSON Web Tokens.',
  directives: declared,
  variables: { jwt_payload: (r) => tokenOf(r)?.visible?.payload },
  prefixes: {
    jwt_claim_: (name) => (r) => jsonText(member(claimsOf(r), name)),
    jwt_header_: (name) => (r) => jsonText(member(headerOf(r), name)),
  },
  init({ auth_jwt_claim_set: claims, auth_jwt_header_set: headers }, tree) {
    for (const rule of claims) declareVariable(rule, claimsOf, tree)
    for (const rule of headers) declareVariable(rule, headerOf, tree)
  },
  attach(conf, plan, at) {
    const { realm, token } = conf.auth_jwt
    if (realm.constant === 'off') return
    const { confPrefix } = at.scope.env
    const jwt: JwtConf = {
      realm: at.text(realm),
      token: token === undefined ? fromAuthorization : at.text(token),
      kind: conf.auth_jwt_type,
      leeway: conf.auth_jwt_leeway,
      files: conf.auth_jwt_key_file.map((file) => fileName(at.text(file), confPrefix)),
      requests: conf.auth_jwt_key_request.map((uri) => at.text(uri)),
      cache: at.shared('auth_jwt_key_cache', () => new KeyCache()),
      cacheMs: conf.auth_jwt_key_cache,
      demands: demands(conf.auth_jwt_require, at.text),
    }
    at.location.set(JWT, jwt)
    plan.access(authenticate, jwt)
    if (at.location.core.satisfy === 'any') plan.precontent(forgetUnchecked, jwt)
  },
})

function declareVariable({ variable, path }: SetRule, part: (r: Request) => Json | undefined, tree: HttpTree): void {
  if (tree.variables.isFixed(variable)) return tree.fail(`the duplicate "${variable}" variable`)
  tree.variables.computed(variable, (r) => jsonText(path.reduce<unknown>(inside, part(r))), true)
}

function inside(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Json)[name] // an object, as was just seen
}

function claimsOf(r: Request): Json | undefined {
  return tokenOf(r)?.visible?.claims
}

function headerOf(r: Request): Json | undefined {
  return tokenOf(r)?.visible?.header
}

function member(object: Json | undefined, name: string): unknown {
  return object && memberOf(object, name)
}

function fromAuthorization(r: Request): string {
  return bearerToken(r.headers) ?? ''
}

/** A relative name is taken from the folder of the configuration file. */
function fileName(text: Text, confPrefix: string): Text {
  return (r) => fullName(text(r), confPrefix)
}

function authenticate(r: Request, conf: JwtConf): Verdict {
  const realm = conf.realm(r)
  if (realm === 'off') return NEXT
  const check = checkOf(r, conf)
  if (check.text === '') {
    r.logError(INFO, 'no JSON Web Token was provided')
    check.refuse('it is missing')
    return challengeWith(r, realm, '')
  }
  const verdict = check.run(r)
  if (verdict !== NEXT) return verdict
  if (check.refusal !== '') {
    r.logError(ERROR, `JSON Web Token refused: ${check.refusal}`)
    return challengeWith(r, realm, ',error="invalid_token"')
  }
  const error = unmet(r, conf.demands)
  if (error === 0) return ALLOWED
  r.logError(ERROR, 'JSON Web Token refused: "auth_jwt_require" is not met')
  check.refuse('a requirement is not met')
  return error === 401 ? challengeWith(r, realm, ',error="invalid_token"') : error
}

function challengeWith(r: Request, realm: string, error: string): Verdict {
  r.out.add('WWW-Authenticate', `Bearer realm="${realm}"${error}`)
  return 401
}

/** With `satisfy any` somebody else may have let the request in: then nobody has checked its token. */
function forgetUnchecked(r: Request, conf: JwtConf): Verdict {
  if (r === r.main) checkOf(r, conf).forgetUnchecked()
  return NEXT
}
