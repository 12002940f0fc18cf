/** ngx_http_auth_basic_module: lets in who knows a name and password of a file (HTTP Basic authentication). */
import { directive } from '../../config/directive.ts'
import { fullName } from '../../config/include.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import { basicCredentials, type Credentials } from '../../http/message/credentials.ts'
import { CONNECT } from '../../http/message/method.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { defineSlot } from '../../http/request/slots.ts'
import { ALLOWED, NEXT, type Verdict } from '../../http/request/verdict.ts'
import { failureText, openFile, wholeText } from '../../http/response/open-file.ts'
import { errnoText } from '../../lib/errno.ts'
import { exactStatError } from '../../lib/file-status.ts'
import { checkPassword } from '../../lib/password.ts'
import { CRIT, ERROR, INFO } from '../../log/error-log.ts'
import { template } from '../../value/template.ts'

const PLACES = ['http', 'server', 'location', 'limit_except'] as const

const directives = {
  auth_basic: directive({
    in: PLACES,
    args: template('string | off'),
    doc: 'Asks for a name and a password; the string tells the client what for.',
  }),
  auth_basic_user_file: directive({
    in: PLACES,
    args: template('file'),
    doc: 'The file with lines `name:password[:comment]`; passwords are hashed as crypt(3) or htpasswd do.',
  }),
}

interface AuthBasic {
  readonly realm: Text
  readonly file: Text
}

/** What a slow check has found, for the second run of the step. */
const checked = defineSlot<boolean>()

/** The module list's entry. */
export const authBasicModule = httpModule({
  name: 'http_auth_basic',
  doc: 'HTTP Basic authentication.',
  directives,
  attach({ auth_basic: realm, auth_basic_user_file: file }, plan, at) {
    if (realm === undefined || file === undefined || realm.constant === 'off') return
    plan.access(authenticate, { realm: at.text(realm), file: pathText(at.text(file), at) })
  },
})

/** A relative name is taken from the folder of the configuration file. */
function pathText(text: Text, at: AttachContext): Text {
  const { confPrefix } = at.scope.env
  return (r) => fullName(text(r), confPrefix)
}

function authenticate(r: Request, conf: AuthBasic): Verdict {
  const realm = conf.realm(r)
  if (realm === 'off') return NEXT
  const credentials = basicCredentials(r.headers, r.methodBit)
  if (credentials === undefined) {
    r.logError(INFO, 'no user/password was provided for basic authentication')
    return challengeWith(r, realm)
  }
  const done = r.get(checked)
  if (done !== undefined) {
    r.set(checked, undefined)
    return conclude(r, credentials, realm, done)
  }
  return lookUp(r, credentials, realm, conf.file(r))
}

function lookUp(r: Request, credentials: Credentials, realm: string, path: string): Verdict {
  const entry = openFile(r, path)
  if (entry.error !== '') {
    const missing = entry.error === 'ENOENT' && exactStatError(path) === 'ENOENT'
    r.logError(missing ? ERROR : CRIT, failureText(entry))
    return missing ? 403 : 500
  }
  if (entry.isFolder) {
    entry.release()
    r.logError(CRIT, `pread() "${path}" failed ${errnoText('EISDIR')}`)
    return 500
  }
  const text = wholeText(entry)
  entry.release()
  const stored = passwordOf(text, credentials.user)
  if (stored === undefined) {
    r.logError(ERROR, `user "${credentials.user}" was not found in "${path}"`)
    return challengeWith(r, realm)
  }
  const fits = checkPassword(credentials.password, stored)
  if (fits === undefined) {
    r.logError(CRIT, 'crypt_r() failed (22: Invalid argument)')
    return 500
  }
  if (typeof fits === 'boolean') return conclude(r, credentials, realm, fits)
  return r.waitAndRetry(fits, keepOutcome)
}

function keepOutcome(r: Request, fits: boolean): void {
  r.set(checked, fits)
}

function conclude(r: Request, { user }: Credentials, realm: string, fits: boolean): Verdict {
  if (fits) return ALLOWED
  r.logError(ERROR, `user "${user}": password mismatch`)
  return challengeWith(r, realm)
}

/** The second field of the user's line. */
function passwordOf(text: string, user: string): string | undefined {
  if (user.startsWith('#')) return undefined
  const start = `${user}:`
  for (let at = 0; at < text.length; ) {
    let end = text.indexOf('\n', at)
    if (end < 0) end = text.length
    if (text.startsWith(start, at)) return text.slice(at + start.length, end).split(/[:\r]/, 1)[0]!
    at = end + 1
  }
  return undefined
}

function challengeWith(r: Request, realm: string): Verdict {
  const proxy = r.methodBit === CONNECT
  r.out.add(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate', `Basic realm="${realm}"`)
  return proxy ? 407 : 401
}
