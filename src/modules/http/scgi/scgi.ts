/**
 * ngx_http_scgi_module: passes requests to SCGI servers. A request is a netstring of names and values, each ended by a
 * zero byte, of which the length of the body is the first; the body follows:
 *
 *   SIZE:CONTENT_LENGTH 0 LENGTH 0 SCGI 0 1 0 NAME 0 VALUE 0 ... ,
 */

import { type ConfOf, directive, family } from '../../../config/directive.ts'
import { cachesOf } from '../../../http/cache/caches.ts'
import { httpModule } from '../../../http/compile/module.ts'
import { SCGI } from '../../../http/exchange/codecs/cgi.ts'
import { attachCgi, type CgiWay } from '../../../http/exchange/compile/cgi-exchange.ts'
import type { ParamSink } from '../../../http/exchange/compile/cgi-params.ts'
import { checkBlock } from '../../../http/exchange/compile/check-blocks.ts'
import { cgi } from '../../../http/exchange/directives/cgi.ts'
import { template } from '../../../value/template.ts'

const SCHEMES = { plain: 'scgi://', secure: undefined }

const allDirectives = {
  ...family('scgi', cgi),
  scgi_pass: directive({
    in: ['location', 'if'],
    args: template('address'),
    inheritance: 'pseudo',
    doc: 'The address of an SCGI server, or the upstream group of several.',
  }),
}
type Conf = ConfOf<typeof allDirectives>

/** The module list's entry. */
export const scgiModule = httpModule({
  name: 'http_scgi',
  doc: 'Passes requests to SCGI servers.',
  directives: allDirectives,
  init(conf, tree) {
    cachesOf(tree).declare('scgi', conf.scgi_cache_path)
  },
  declare(_, tree, scope) {
    checkBlock('scgi', allDirectives, scope, tree)
  },
  attach(conf, plan, at) {
    attachCgi(wayOf(conf), conf, plan, at)
  },
})

/** Collects the parameters of one request. */
class NetString implements ParamSink {
  text = ''

  add(name: string, value: string): void {
    this.text += name + '\0' + withoutNul(value) + '\0'
  }
}

/** A zero byte would end the value, and what is behind it would be a parameter of the client's making. */
function withoutNul(value: string): string {
  return value.includes('\0') ? value.replaceAll('\0', '') : value
}

const netString = new NetString()

function wayOf({ scgi_pass: pass }: Conf): CgiWay {
  return {
    name: 'scgi',
    directives: allDirectives,
    pass,
    schemes: SCHEMES,
    protocol: SCGI,
    hidesStatus: true,
    needsLength: true,
    compile: (params) => (r, length) => {
      netString.text = `CONTENT_LENGTH\0${length || '0'}\0`
      params.write(r, netString)
      return `${netString.text.length}:${netString.text},`
    },
  }
}
