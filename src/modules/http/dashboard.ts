/**
 * A page that shows people what the server does, by the API (`api`), and lets them change it where the API allows that. NGINX
 * Plus comes with a file `dashboard.html` for this, which configurations serve by a location of that name: where the file
 * is not there, that location has our page.
 */
import fs from 'node:fs'
import { params } from '../../config/combine.ts'
import { type Args, directive } from '../../config/directive.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import { GET, HEAD } from '../../http/message/method.ts'
import type { Request } from '../../http/request/request.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import { filePath } from '../../http/response/file-path.ts'
import { sendBytes } from '../../http/response/send-text.ts'
import { type DashboardPage, dashboardFile, readDashboardPage } from '../../lib/dashboard-page.ts'
import { ERROR } from '../../log/error-log.ts'

const PLUS_NAME = '/dashboard.html'
const API_PATH = '/api/'
const NOT_BUILT = 'The dashboard is not built yet: run "npm run build:dashboard" in the folder of the program.\n'

const path: Args<string> = {
  syntax: 'path',
  min: 1,
  max: 1,
  read([word], at) {
    const { text } = word!
    // The page asks its own server alone, whatever this says.
    if (!/^\/(?:[^/\\]|$)/.test(text)) at.fail(`invalid path "${text}" of the API, it begins with one "/"`, word)
    return text.endsWith('/') ? text : `${text}/`
  },
}

const directives = {
  dashboard: directive({
    in: ['location'],
    args: params({ api: path }),
    inheritance: 'pseudo',
    doc: 'Answers with a page that shows what the server does, for which it asks `api` of the same server.',
  }),
}

interface Conf {
  readonly apiPath: string
  page: DashboardPage | undefined
}

/** The module list's entry. */
export const dashboardModule = httpModule({
  name: 'http_dashboard',
  doc: 'A page for people about the running server.',
  directives,
  attach(conf, plan, at) {
    const asked = conf.dashboard
    if (asked !== undefined) plan.own(sendPage, { apiPath: asked.api ?? API_PATH, page: undefined })
    else if (isPlusName(at)) plan.content(sendWhereNoFile, { apiPath: API_PATH, page: undefined })
  },
})

function isPlusName({ location }: AttachContext): boolean {
  return location.exact && location.name === PLUS_NAME
}

/** Whoever keeps NGINX Plus's page there, or one of their own, has theirs. */
function sendWhereNoFile(r: Request, conf: Conf): Verdict {
  return fs.existsSync(Buffer.from(filePath(r), 'latin1')) ? NEXT : sendPage(r, conf)
}

function sendPage(r: Request, conf: Conf): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0) return 405
  const page = (conf.page ??= readDashboardPage(conf.apiPath))
  const { out } = r
  out.add('Cache-Control', 'no-cache')
  if (page === undefined) {
    r.logError(ERROR, `"${dashboardFile}" is missing, "npm run build:dashboard" makes it`)
    return sendBytes(r, 503, Buffer.from(NOT_BUILT), 'text/plain')
  }
  out.add('Content-Security-Policy', page.policy)
  out.add('X-Content-Type-Options', 'nosniff')
  out.add('Referrer-Policy', 'same-origin')
  out.etag = page.etag
  return sendBytes(r, 200, page.bytes, 'text/html; charset=utf-8')
}
