/** ngx_http_fastcgi_module: passes requests to FastCGI servers, such as php-fpm. */

import { flag, text } from '../../../config/args.ts'
import { type ConfOf, type Context, directive, directives, family } from '../../../config/directive.ts'
import { cachesOf } from '../../../http/cache/caches.ts'
import { type AttachContext, httpModule } from '../../../http/compile/module.ts'
import { CAUGHT, FASTCGI } from '../../../http/exchange/codecs/fastcgi.ts'
import { FastcgiParams } from '../../../http/exchange/codecs/fastcgi-record.ts'
import { attachCgi, type CgiWay } from '../../../http/exchange/compile/cgi-exchange.ts'
import { checkBlock } from '../../../http/exchange/compile/check-blocks.ts'
import { cgi } from '../../../http/exchange/directives/cgi.ts'
import { KEPT_LINKS } from '../../../http/exchange/kept-links.ts'
import { ALERT } from '../../../log/error-log.ts'
import { WAITING_COUNTS_SIZE, WaitingCounts } from '../../../shared/waiting-counts.ts'
import { template } from '../../../value/template.ts'
import { attachSplit, pathInfo, scriptName, splitDirectives } from './split.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']
const SCHEMES = { plain: 'fastcgi://', secure: undefined }

const allDirectives = {
  ...family('fastcgi', cgi),
  ...splitDirectives,
  fastcgi_pass: directive({
    in: ['location', 'if'],
    args: template('address'),
    inheritance: 'pseudo',
    doc: 'The address of a FastCGI server, or the upstream group of several.',
  }),
  fastcgi_keep_conn: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Tells FastCGI servers to leave connections open, for `keepalive` of the upstream.',
  }),
  fastcgi_catch_stderr: directives({
    in: HSL,
    args: text('string'),
    doc: 'A text that makes an answer invalid when it stands in the stderr that comes before it.',
  }),
}
type Conf = ConfOf<typeof allDirectives>

/** The module list's entry. */
export const fastcgiModule = httpModule({
  name: 'http_fastcgi',
  doc: 'Passes requests to FastCGI servers.',
  directives: allDirectives,
  variables: { fastcgi_script_name: scriptName, fastcgi_path_info: pathInfo },
  init(conf, tree) {
    cachesOf(tree).declare('fastcgi', conf.fastcgi_cache_path)
  },
  declare(_, tree, scope) {
    checkBlock('fastcgi', allDirectives, scope, tree)
  },
  attach(conf, plan, at) {
    attachSplit(conf, at.location)
    if (conf.fastcgi_catch_stderr.length > 0) at.location.set(CAUGHT, conf.fastcgi_catch_stderr)
    if (conf.fastcgi_pass !== undefined && conf.fastcgi_keep_conn) shareCounts(at)
    attachCgi(wayOf(conf), conf, plan, at)
  },
})

/** Threads that keep connections must know when others wait for one. */
function shareCounts(at: AttachContext): void {
  const buffer = at.zone('waiting for FastCGI servers', WAITING_COUNTS_SIZE, 'http_fastcgi')
  const counts = buffer === undefined || at.role !== 'worker' ? undefined : WaitingCounts.attach(buffer)
  if (counts !== undefined) KEPT_LINKS.share(counts)
}

const writer = new FastcgiParams()

function wayOf({ fastcgi_pass: pass, fastcgi_keep_conn: keep }: Conf): CgiWay {
  return {
    name: 'fastcgi',
    directives: allDirectives,
    pass,
    schemes: SCHEMES,
    protocol: FASTCGI,
    hidesStatus: true,
    needsLength: false,
    compile: (params) => (r) => {
      writer.begin()
      params.write(r, writer)
      const request = writer.finish(keep)
      if (writer.tooBig === 0) return request
      r.logError(ALERT, `fastcgi request record is too big: ${writer.tooBig}`)
      return ''
    },
  }
}
