/**
 * ngx_http_api_module (NGINX Plus): what the server does and has done, as JSON below a location, and with `write=on`
 * changes of it. Behind the location's name stands the version, then the path of a resource: `/api/9/http/server_zones/`.
 */
import { oneOf } from '../../../config/args.ts'
import { params } from '../../../config/combine.ts'
import { directive } from '../../../config/directive.ts'
import { type HttpTree, httpModule } from '../../../http/compile/module.ts'
import { DELETE, GET, HEAD, PATCH, POST } from '../../../http/message/method.ts'
import type { Request } from '../../../http/request/request.ts'
import { requestId } from '../../../http/request/request-id.ts'
import type { Verdict } from '../../../http/request/verdict.ts'
import { sendBytes } from '../../../http/response/send-text.ts'
import { historyOf } from '../../../http/status/history.ts'
import { prepareStatus } from '../../../http/status/prepare.ts'
import { statusReadersOf } from '../../../http/status/readers.ts'
import { NO_BYTES, soundUtf8 } from '../../../lib/bytes.ts'
import {
  type Answer,
  found,
  isProblem,
  METHOD_DISABLED,
  PATH_NOT_FOUND,
  type Problem,
  UNKNOWN_VERSION,
} from './answer.ts'
import { type OwnNames, ownNames, refusalOf } from './guard.ts'
import type { Ask } from './resource.ts'
import { findResource, listBelow, VERSIONS, versionOf } from './resources.ts'

const HELP = 'https://nginx.org/en/docs/http/ngx_http_api_module.html'
const JSON_TYPE = 'application/json'

const directives = {
  api: directive({
    in: ['location'],
    args: params({ write: oneOf('on', 'off') }, { invalid: 'invalid value "%v" of "write" parameter' }),
    inheritance: 'pseudo',
    doc: 'Answers with what the server does and has done, in JSON; `write=on` allows changes.',
  }),
}

interface Conf {
  readonly tree: HttpTree
  readonly writable: boolean
  readonly names: OwnNames
}

/** The module list's entry. */
export const apiModule = httpModule({
  name: 'http_api',
  doc: 'Status and changes of the running server.',
  directives,
  init(_, tree) {
    prepareStatus(tree)
    historyOf(tree)
  },
  attach(conf, plan, at) {
    if (conf.api === undefined) return
    const writable = conf.api.write === 'on'
    if (writable) statusReadersOf(at).note('looks', 'writes')
    else statusReadersOf(at).note('looks')
    plan.own(answerApi, { tree: at, writable, names: ownNames(at) })
  },
})

function answerApi(r: Request, conf: Conf): Verdict {
  if ((r.methodBit & (GET | HEAD)) !== 0) return answer(r, conf, NO_BYTES)
  if ((r.methodBit & (POST | PATCH | DELETE)) === 0) return 405
  return r.readBody((again) => answer(again, conf, bodyOf(again)))
}

/** The body, which is in a file when it is large. */
function bodyOf({ requestBody }: Request): Buffer {
  const file = requestBody?.file
  if (file === undefined) return requestBody?.bytes ?? NO_BYTES
  const bytes = Buffer.alloc(file.size)
  return bytes.subarray(0, file.read(bytes, 0))
}

function answer(r: Request, { tree, writable, names }: Conf, body: Buffer): Verdict {
  const refusal = refusalOf(r, names, (r.methodBit & (GET | HEAD)) === 0)
  if (refusal !== undefined) return send(r, refusal)
  const segments = segmentsOf(r)
  if (segments === undefined) return send(r, PATH_NOT_FOUND)
  const [versionText, ...path] = segments
  if (versionText === undefined) return send(r, found(VERSIONS))
  const version = versionOf(versionText)
  if (version === undefined) return send(r, UNKNOWN_VERSION)
  const match = findResource(version, path)
  if (match === undefined) {
    const names = listBelow(version, path)
    return send(r, names === undefined ? PATH_NOT_FOUND : r.methodBit & (GET | HEAD) ? found(names) : METHOD_DISABLED)
  }
  const words = new URLSearchParams(r.args)
  const ask: Ask = {
    r,
    tree,
    version,
    names: match.names,
    words,
    argument: (name) => words.get(name) ?? undefined,
    body,
    writable,
  }
  if ((r.methodBit & (GET | HEAD)) !== 0) return send(r, match.resource.get(ask))
  const change = match.resource.changes?.[r.method as 'POST' | 'PATCH' | 'DELETE'] // other methods were refused
  return send(r, change === undefined || !writable ? METHOD_DISABLED : change(ask))
}

/** The segments of the path behind the location's name; undefined when the path is not below it. */
function segmentsOf(r: Request): string[] | undefined {
  const { name } = r.location
  if (!r.uri.startsWith(name)) return undefined
  return r.uri
    .slice(name.length)
    .split('/')
    .filter((segment) => segment !== '')
}

function send(r: Request, answered: Answer | Problem): Verdict {
  r.out.add('Cache-Control', 'no-cache')
  if (isProblem(answered)) return sendProblem(r, answered)
  const { status, body, location } = answered
  if (location !== undefined) r.out.add('Location', location)
  return body === undefined ? sendBytes(r, status, NO_BYTES) : sendBytes(r, status, jsonOf(body), JSON_TYPE)
}

function sendProblem(r: Request, { status, text, code }: Problem): Verdict {
  return sendBytes(
    r,
    status,
    jsonOf({ error: { status, text, code }, request_id: requestId(r), href: HELP }),
    JSON_TYPE,
  )
}

/** All its texts are binary: names may be bytes that no JSON can have. */
function jsonOf(body: unknown): Buffer {
  return Buffer.from(soundUtf8(JSON.stringify(body)), 'latin1')
}
